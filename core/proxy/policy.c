/*
 * policy: owns the names of the hooks, as the policy file, the logs and the metrics spell them, and
 * the bounds on what a hook sets.
 */
#include "proxy/policy.h"

#include <assert.h>

static const char *const names[HOOK_COUNT] = {
    [HOOK_REQUEST] = "request", [HOOK_EXPECT] = "expect", [HOOK_UPGRADE] = "upgrade",
    [HOOK_TIMEOUT] = "timeout", [HOOK_ERROR] = "error",   [HOOK_RESPONSE] = "response",
    [HOOK_LOG] = "log",
};

const char *policy_hook_name(enum policy_hook hook)
{
    assert(hook < HOOK_COUNT);
    return names[hook];
}

const char *policy_after_failure(enum policy_hook hook, bool goes_on)
{
    if (hook == HOOK_LOG)
        return "nothing else happens";
    if (hook == HOOK_TIMEOUT || hook == HOOK_ERROR)
        return "the built-in page is sent";
    return goes_on ? "going on as if it had returned nil (on_error)"
                   : "the request is refused with 500";
}

struct fault policy_request_fault(const struct policy_view *view)
{
    const struct limits *l = &view->settings->limits;
    const struct request *r = view->request;

    if (r->head.count > l->fields)
        return fault_of(431, "over limits.fields after the request hook");
    if (head_fields_size(&r->head) > l->head)
        return fault_of(431, "over limits.head after the request hook");
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > view->max_body)
        return fault_of(413, "the request body is over req.max_body");
    return fault_none();
}

struct fault policy_response_fault(const struct policy_view *view)
{
    const struct limits *l = &view->settings->limits;
    const struct head *h = &view->response->head;

    if (h->count > l->fields)
        return fault_of(502, "over limits.fields after the response hook");
    if (head_fields_size(h) > l->head)
        return fault_of(502, "over limits.head after the response hook");
    return fault_none();
}
