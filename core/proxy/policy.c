/*
 * policy: owns the names of the hooks, as the policy file, the logs and the metrics spell them.
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
