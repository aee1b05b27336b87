/*
 * task: a pooled coroutine in which one call of a hook runs, waits and goes on.
 *
 * A task is taken for a call, runs until the hook returns, errs or waits, and goes back to the
 * pool. A coroutine that returned is used again; one that erred or was cancelled is dropped.
 */
#ifndef INTERIM_LUA_TASK_H
#define INTERIM_LUA_TASK_H

#include "engine.h"

#include <ev.h>

struct task {
    struct list node; /* in engine.idle */
    struct engine *engine;
    lua_State *L;
    int reference; /* of L, in the registry */
    struct policy_call *call;
    void (*stop)(struct task *t); /* set while it waits: ends what it waits for */
    ev_timer timer;               /* of interim.sleep */
};

enum task_end {
    TASK_RETURNED, /* results are on task.L, the call's answer first */
    TASK_WAITS,    /* task.stop is set; task_run goes on with it later */
    TASK_FAILED,   /* the error object is on top of task.L, its stack still as it was */
};

/* NULL when memory is out. */
struct task *task_take(struct engine *e, struct policy_call *call);

/*
 * Runs or resumes the coroutine: `arguments` values (behind a function, at first) are on task.L.
 * The budget's stretch is this run.
 */
enum task_end task_run(struct task *t, int arguments);

/* Back to the pool. `reusable` is true only after TASK_RETURNED. */
void task_give(struct task *t, bool reusable);

/* For a C function called by a hook: the task that runs; an error while loading, or when called in
 * a coroutine of the script's own, which cannot be left for the event loop. `what` names it. */
struct task *task_to_wait(lua_State *L, const char *what);

/* Frees the pool. */
void task_free_all(struct engine *e);

#endif
