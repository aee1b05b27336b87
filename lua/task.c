/*
 * task: owns the coroutines that hooks run in. Promises that a hook may wait without holding up the
 * worker, and that a warm worker makes no new coroutine for a call.
 */
#include "task.h"

#include "base/sys.h"
#include "proxy/pulse.h"

#include <assert.h>
#include <lauxlib.h>

#define IDLE_MAX 64

static int make_thread(lua_State *L)
{
    struct task *t = lua_touserdata(L, 1);

    t->L = lua_newthread(L);
    t->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void drop_thread(struct task *t)
{
    luaL_unref(t->engine->L, LUA_REGISTRYINDEX, t->reference);
    t->L = NULL;
}

struct task *task_take(struct engine *e, struct policy_call *call)
{
    struct task *t;

    if (list_is_empty(&e->idle)) {
        t = sys_calloc(1, sizeof *t);
        if (t == NULL)
            return NULL;
        t->engine = e;
    } else {
        t = LIST_OWNER(e->idle.next, struct task, node);
        list_remove(&t->node);
        e->idle_count--;
    }
    list_init(&t->node);
    t->call = call;
    if (t->L == NULL && !engine_protect(e->L, make_thread, t)) {
        sys_free(t);
        return NULL;
    }
    return t;
}

enum task_end task_run(struct task *t, int arguments)
{
    struct engine *e = t->engine;

    assert(e->task == NULL);
    if (t->stop != NULL) {
        t->stop = NULL;
        e->waiting--;
    }
    e->task = t;
    pulse_enter_hook(t->call->hook, t->call->view->id);
    budget_begin(t->L);
    int status = lua_resume(t->L, arguments);
    budget_end(t->L);
    pulse_leave();
    e->task = NULL;

    if (status == LUA_YIELD) {
        assert(t->stop != NULL); /* scripts cannot yield here: see the sandbox */
        e->waiting++;
        return TASK_WAITS;
    }
    return status == 0 ? TASK_RETURNED : TASK_FAILED;
}

void task_give(struct task *t, bool reusable)
{
    struct engine *e = t->engine;

    if (t->stop != NULL) {
        t->stop(t);
        t->stop = NULL;
        e->waiting--;
    }
    if (reusable)
        lua_settop(t->L, 0);
    else
        drop_thread(t);
    t->call = NULL;
    if (e->idle_count < IDLE_MAX) {
        list_push_front(&e->idle, &t->node);
        e->idle_count++;
        return;
    }
    if (t->L != NULL)
        drop_thread(t);
    sys_free(t);
}

struct task *task_to_wait(lua_State *L, const char *what)
{
    struct task *t = engine_of(L)->task;

    if (t == NULL)
        luaL_error(L, "%s can only be called in a hook, not while the policy is loaded", what);
    else if (t->L != L)
        luaL_error(L, "%s cannot be called in a coroutine that the policy made itself", what);
    else if (!lua_isyieldable(L))
        luaL_error(L,
                   "%s cannot be called in a function that gsub, table.sort or another function of "
                   "the libraries calls; call it in the hook itself",
                   what);
    return t;
}

void task_free_all(struct engine *e)
{
    while (!list_is_empty(&e->idle)) {
        struct task *t = LIST_OWNER(e->idle.next, struct task, node);
        list_remove(&t->node);
        sys_free(t);
    }
}
