/*
 * asking: a hook of the policy is asked, waited for, and answers, is too late or is not wanted any
 * more.
 *
 * Promises that a hook is asked once, and that what comes of it is counted once.
 */
#include "base/log.h"
#include "proxy/exchange.h"

#include <assert.h>

static void note_verdict(struct exchange *x)
{
    if (x->call.verdict.kind != VERDICT_FAILED)
        return;
    x->proxy->stats->hook_errors++;
    x->proxy->stats->hooks[x->call.hook].failed++;
}

/* A hook that had to wait has its verdict. */
static void hook_over(struct exchange *x)
{
    x->asking = ASKING_ANSWERED;
    deadline_clear(&x->hook_clock);
    note_verdict(x);
    if (x->over)
        exchange_let_go(x); /* it was the log hook */
    else
        exchange_run(x);
}

void exchange_hook_overdue(struct exchange *x)
{
    struct policy *policy = x->generation->policy;

    log_error("%s: the %s hook failed: it waited longer than %g s (timeouts.hook); %s", x->id,
              policy_hook_name(x->call.hook), x->timeouts->hook,
              policy_after_failure(x->call.hook, x->settings->on_error_default));
    policy->ops->cancel(policy, &x->call);
    x->call.verdict.kind = VERDICT_FAILED;
    x->proxy->stats->timeouts_hook++;
    hook_over(x);
}

void exchange_answered(struct policy_call *call)
{
    struct exchange *x = LIST_OWNER(call, struct exchange, call);

    assert(x->magic == EXCHANGE_MAGIC);
    hook_over(x);
}

bool exchange_hook(struct exchange *x, enum policy_hook hook)
{
    struct policy *policy = x->generation->policy;

    if (x->asking == ASKING_WAITS)
        return false;
    if (x->asking == ASKING_ANSWERED) {
        x->asking = ASKING_NOTHING;
        return true;
    }
    if (!policy_has(policy, hook)) {
        x->call.verdict.kind = VERDICT_DEFAULT;
        return true;
    }
    x->call.verdict = (struct verdict){.kind = VERDICT_DEFAULT};
    x->call.hook = hook;
    x->proxy->stats->hooks[hook].asked++;
    if (policy->ops->ask(policy, &x->call)) {
        note_verdict(x);
        return true;
    }
    x->asking = ASKING_WAITS;
    deadline_set(&x->hook_clock, x->timeouts->hook);
    return false;
}

void exchange_cancel_hook(struct exchange *x)
{
    struct policy *policy = x->generation->policy;

    if (x->asking == ASKING_WAITS)
        policy->ops->cancel(policy, &x->call);
    x->asking = ASKING_NOTHING;
    deadline_clear(&x->hook_clock);
}

void exchange_abandon(struct exchange *x)
{
    if (x->asking == ASKING_WAITS) {
        exchange_cancel_hook(x);
        exchange_let_go(x);
    }
}
