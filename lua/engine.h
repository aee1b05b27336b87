/*
 * engine: one loaded policy: its Lua state and what the files of this folder share about it.
 *
 * All coroutines of a state belong to one engine, which is found from any of them. Whatever may
 * raise a Lua error runs inside engine_protect or inside a hook; outside of them only calls that
 * neither allocate nor raise are made.
 */
#ifndef INTERIM_LUA_ENGINE_H
#define INTERIM_LUA_ENGINE_H

#include "base/list.h"
#include "budget.h"
#include "bundle.h"
#include "proxy/engine.h"

#include <lua.h>

struct task;

struct engine {
    struct policy policy; /* first: the core's handle */
    lua_State *L;
    struct budget budget;
    const struct settings *settings; /* NULL while they are being read */
    struct ev_loop *loop;            /* NULL in the loader */
    struct bundle *bundle;           /* where sources come from; NULL once loaded */
    int hooks[HOOK_COUNT];           /* registry references */
    struct task *task;               /* whose Lua code is running; NULL: none, or loading */
    struct list idle;                /* tasks to use again */
    size_t idle_count;
    size_t waiting;  /* tasks that wait */
    bool hurries;    /* interim.sleep takes no time: in the offline tools */
    double skipped;  /* seconds that were not slept */
    char where[160]; /* what engine_where returned last */
};

/* A state with everything a script finds, and under the caps of loading. NULL: no memory. */
struct engine *engine_open(const struct settings *settings);

struct engine *engine_of(lua_State *L);

/*
 * Calls `function` with `data`, a light userdata, as its one argument, safe from Lua errors and
 * outside the budget. False when it erred: nothing is left behind.
 */
bool engine_protect(lua_State *L, lua_CFunction function, void *data);

/* The same for a function that returns text, which is copied; "not enough memory" if that fails. */
void engine_describe(struct engine *e, lua_CFunction function, void *data, char *text, size_t size);

/* A full collection, after a refusal of memory: LuaJIT makes none by itself then. */
void engine_collect(struct engine *e);

/* Frees the state and the engine. */
void engine_close(struct engine *e);

/* Who is speaking, for a log line: "hook expect, request 1-7f" or "while loading"; borrowed. */
const char *engine_where(lua_State *L);

#endif
