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

static bool is_over(const struct head *head, const struct limits *l)
{
    return head->count > l->fields || head_fields_size(head) > l->head;
}

int policy_request_over_limits(const struct policy_view *view)
{
    const struct limits *l = &view->settings->limits;
    const struct request *r = view->request;

    if (is_over(&r->head, l))
        return 431;
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > view->max_body)
        return 413;
    return 0;
}

int policy_response_over_limits(const struct policy_view *view)
{
    return is_over(&view->response->head, &view->settings->limits) ? 502 : 0;
}
