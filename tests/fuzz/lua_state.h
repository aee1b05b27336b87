/*
 * lua_state: what the targets that call Lua functions share: one state, and a budget of steps in
 * the place of the library's budget of time, so that a run is the same each time.
 */
#ifndef INTERIM_FUZZ_LUA_STATE_H
#define INTERIM_FUZZ_LUA_STATE_H

#include "budget.h"

#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A state that lives on would be searched for leaks after each input, which takes a millisecond. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

#define LUA_STATE_STEPS 20000 /* of one call; some hundred microseconds */

static unsigned steps_spent;

void budget_spend(lua_State *L, unsigned steps)
{
    steps_spent += steps;
    if (steps_spent > LUA_STATE_STEPS)
        luaL_error(L, "out of steps");
}

static inline bool is_out_of_steps(void)
{
    return steps_spent > LUA_STATE_STEPS;
}

/* On the heap, so that the address sanitizer sees every string. */
static void *lua_state_allocate(void *arg, void *p, size_t old, size_t size)
{
    (void)arg;
    (void)old;
    if (size != 0)
        return realloc(p, size);
    free(p);
    return NULL;
}

/* A state with the standard library, and what the chunk returns on its stack. */
static lua_State *lua_state_open(const char *chunk)
{
    lua_State *L = lua_newstate(lua_state_allocate, NULL);
    assert(L != NULL);
    luaL_openlibs(L);
    if (luaL_dostring(L, "jit.off()") != 0 || luaL_dostring(L, chunk) != 0) {
        fputs(lua_tostring(L, -1), stderr);
        abort();
    }
    return L;
}

/* Opens a library by its name, for a chunk that returns a function of the library and a text, and a
 * table for it. */
static inline lua_State *lua_state_with(const char *chunk, void (*install)(lua_State *L),
                                        const char *name)
{
    lua_State *L = lua_state_open(chunk);
    install(L);
    lua_getfield(L, -1, name);
    lua_replace(L, -2);
    return L;
}

/* Gives it one text. It raises what does not hold. */
static inline void lua_state_feed(lua_State *L, const uint8_t *bytes, size_t size)
{
    steps_spent = 0;
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushlstring(L, (const char *)bytes, size);
    if (lua_pcall(L, 2, 0, 0) != 0 && !is_out_of_steps()) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_settop(L, 2);
}

#endif
