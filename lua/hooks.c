/*
 * hooks: asks a hook and carries its answer back, at once or when what it waited for has come.
 *
 * Promises that a hook which errs, loops, hoards memory or answers nonsense costs its own exchange
 * an answer, one log line that says what happens next, and nobody else anything.
 */
#include "hooks.h"

#include "base/log.h"
#include "handle.h"
#include "verdict.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 800

static void fail(struct engine *e, struct policy_call *call, const char *text)
{
    call->verdict = (struct verdict){.kind = VERDICT_FAILED};
    log_error("%s: the %s hook failed: %s; %s", call->view->request_id,
              policy_hook_name(call->hook), text,
              policy_after_failure(call->hook, e->settings->on_error_default));
}

/* Turns Lua's lines "\tfile:3: in function 'x'" into one: "file:3: in function 'x' < ...". */
static void join_lines(char *text, size_t size, const char *from)
{
    size_t n = 0;

    for (; *from != '\0' && n + sizeof " < " < size; from++) {
        if (*from == '\n') {
            const char *joint = n > 0 && text[n - 1] == ':' ? " " : " < ";
            memcpy(text + n, joint, strlen(joint));
            n += strlen(joint);
        } else if (*from != '\t') {
            text[n++] = *from;
        }
    }
    text[n] = '\0';
}

/* The error object on top of a task that failed, with the way it came there. */
static int describe_error(lua_State *L)
{
    const struct task *t = lua_touserdata(L, 1);
    const struct budget *b = &t->engine->budget;
    const char *message;

    if (lua_type(t->L, -1) == LUA_TSTRING)
        message = lua_tostring(t->L, -1);
    else
        message = lua_pushfstring(L, "(the error is a %s value)", luaL_typename(t->L, -1));
    if (b->no_memory && strstr(message, b->max_rule) == NULL)
        message = lua_pushfstring(L, "%s: the policy needs more than %f MiB (%s)", message,
                                  (double)b->max / (1024 * 1024), b->max_rule);
    luaL_traceback(L, t->L, message, 0);
    return 1;
}

static void fail_with_error(struct task *t)
{
    struct engine *e = t->engine;
    struct policy_call *call = t->call;
    bool no_memory = e->budget.no_memory;
    char lines[TEXT_MAX], text[TEXT_MAX];

    engine_describe(e, describe_error, t, lines, sizeof lines);
    join_lines(text, sizeof text, lines);
    fail(e, call, text);
    task_give(t, false);
    if (no_memory)
        engine_collect(e);
}

struct conversion {
    struct task *task;
    bool ok;
    char why[256];
};

static int convert(lua_State *L)
{
    struct conversion *c = lua_touserdata(L, 1);

    lua_xmove(c->task->L, L, 1);
    c->ok = verdict_read(L, 2, c->task->call, c->why, sizeof c->why);
    return 0;
}

/* What was returned has no line of its own; the hook has one. */
static void fail_with_answer(struct task *t, const char *why)
{
    char text[TEXT_MAX];
    lua_Debug ar;

    lua_rawgeti(t->L, LUA_REGISTRYINDEX, t->engine->hooks[t->call->hook]);
    lua_getinfo(t->L, ">S", &ar);
    snprintf(text, sizeof text, "%s (the function at %s:%d)", why, ar.short_src, ar.linedefined);
    fail(t->engine, t->call, text);
}

static void read_answer(struct task *t)
{
    struct conversion c = {.task = t, .ok = false, .why = "not enough memory"};
    struct policy_call *call = t->call;

    lua_settop(t->L, 1);        /* further results mean nothing, as ever in Lua */
    if (lua_istable(t->L, 1)) { /* only the reading of one can raise */
        if (!engine_protect(t->engine->L, convert, &c))
            c.ok = false;
    } else {
        c.ok = verdict_read(t->L, 1, call, c.why, sizeof c.why);
    }
    if (!c.ok)
        fail_with_answer(t, c.why);
}

/* Most hooks return nothing: the verdict is VERDICT_DEFAULT already. */
static void read_results(struct task *t)
{
    if (lua_gettop(t->L) > 0)
        read_answer(t);
}

static bool carry_on(struct task *t, int arguments)
{
    switch (task_run(t, arguments)) {
    case TASK_WAITS:
        t->call->waiting = t;
        return false;
    case TASK_RETURNED:
        read_results(t);
        task_give(t, true);
        return true;
    case TASK_FAILED:
        break;
    }
    fail_with_error(t);
    return true;
}

static int push_arguments(lua_State *L, const struct policy_call *call)
{
    static const enum handle_kind second[HOOK_COUNT] = {
        [HOOK_TIMEOUT] = HANDLE_TROUBLE,
        [HOOK_ERROR] = HANDLE_TROUBLE,
        [HOOK_RESPONSE] = HANDLE_RESPONSE,
        [HOOK_LOG] = HANDLE_RESULT,
    };

    handle_push(L, HANDLE_REQUEST, call->view);
    if (second[call->hook] == HANDLE_NONE)
        return 1;
    handle_push(L, second[call->hook], call->view);
    return 2;
}

static bool ask(struct policy *p, struct policy_call *call)
{
    struct engine *e = LIST_OWNER(p, struct engine, policy);

    assert(policy_has(p, call->hook));
    struct task *t = task_take(e, call);
    if (t == NULL) {
        fail(e, call, "not enough memory to begin");
        return true;
    }
    lua_rawgeti(t->L, LUA_REGISTRYINDEX, e->hooks[call->hook]);
    return carry_on(t, push_arguments(t->L, call));
}

void hooks_resume(struct task *t)
{
    struct policy_call *call = t->call;

    call->waiting = NULL;
    if (carry_on(t, 0))
        call->done(call); /* may end the exchange, and this policy with it */
}

static void cancel(struct policy *p, struct policy_call *call)
{
    (void)p;
    assert(call->waiting != NULL);
    task_give(call->waiting, false);
    call->waiting = NULL;
}

static void forget(struct policy *p, struct policy_view *view)
{
    struct engine *e = LIST_OWNER(p, struct engine, policy);

    if (view->engine != NULL)
        luaL_unref(e->L, LUA_REGISTRYINDEX, (int)(intptr_t)view->engine);
    view->engine = NULL;
}

static void free_policy(struct policy *p)
{
    struct engine *e = LIST_OWNER(p, struct engine, policy);

    assert(e->waiting == 0);
    engine_close(e);
}

const struct policy_ops hooks_ops = {
    .ask = ask,
    .cancel = cancel,
    .forget = forget,
    .free = free_policy,
};
