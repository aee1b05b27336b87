/*
 * sleep: leaves a hook's coroutine for the event loop and comes back when its timer fires.
 * Next: hooks_resume, which carries the answer to the exchange.
 */
#include "sleep.h"

#include "hooks.h"
#include "task.h"

#include <lauxlib.h>

#define LONGEST 3600.0

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct task *t = timer->data;

    (void)loop;
    (void)events;
    hooks_resume(t);
}

static void stop_timer(struct task *t)
{
    ev_timer_stop(t->engine->loop, &t->timer);
}

static int lua_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);

    if (!(seconds >= 0 && seconds <= LONGEST))
        return luaL_argerror(L, 1, "seconds between 0 and 3600 expected");
    struct task *t = task_to_wait(L, "interim.sleep");
    if (t->engine->hurries) {
        t->engine->skipped += seconds;
        seconds = 0;
    }
    ev_now_update(t->engine->loop); /* its clock stands since the turn began, maybe long ago */
    ev_timer_init(&t->timer, on_timer, seconds, 0);
    t->timer.data = t;
    t->stop = stop_timer;
    ev_timer_start(t->engine->loop, &t->timer);
    return lua_yield(L, 0);
}

void sleep_install(lua_State *L)
{
    lua_pushcfunction(L, lua_sleep);
    lua_setfield(L, -2, "sleep");
}
