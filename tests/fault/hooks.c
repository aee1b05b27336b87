/*
 * hooks: the engine behind a scene's policy, and the calls that wait in it.
 */
#include "hooks.h"

#define WAITING 8 /* calls at once; beyond that they are answered at once */

static const struct scene *scene;
static struct policy policy;
static struct policy_call *waiting[WAITING]; /* in the order in which they came */
static size_t waiting_count, used, freed;

static bool ask(struct policy *p, struct policy_call *call)
{
    const struct said *said = &scene->hooks[call->hook];
    struct verdict *v = &call->verdict;
    (void)p;

    v->kind = said->kind;
    v->status = said->status;
    if (v->kind == VERDICT_OFFER)
        v->offers = call->view->request->offers;
    if (said->when == PROMPT || waiting_count == WAITING)
        return true;
    waiting[waiting_count++] = call;
    return false;
}

static void cancel(struct policy *p, struct policy_call *call)
{
    size_t kept = 0;
    (void)p;

    for (size_t i = 0; i < waiting_count; i++)
        if (waiting[i] != call)
            waiting[kept++] = waiting[i];
    waiting_count = kept;
}

static void forget(struct policy *p, struct policy_view *view)
{
    (void)p;
    (void)view;
}

static void free_it(struct policy *p)
{
    (void)p;
    freed++;
}

static const struct policy_ops ops = {ask, cancel, forget, free_it};

void hooks_begin(const struct scene *new_scene)
{
    scene = new_scene;
    policy = (struct policy){&ops, 0};
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        if (scene->hooks[hook].when != NO_HOOK)
            policy.hooks |= 1u << hook;
    waiting_count = used = freed = 0;
}

struct policy *hooks_use(void)
{
    if (policy.hooks == 0)
        return NULL;
    used++;
    return &policy;
}

void hooks_keep(void)
{
    used -= policy.hooks != 0;
}

bool hooks_answer(void)
{
    struct policy_call *call = waiting_count > 0 ? waiting[0] : NULL;

    if (call == NULL)
        return false;
    cancel(NULL, call);
    call->done(call);
    return true;
}

bool hooks_are_free(void)
{
    return used == freed;
}
