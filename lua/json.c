/*
 * Owns the bounds around lua-cjson, which does the work with settings of its own (not shared with
 * anybody who might require it). Promises that no value keeps the encoder longer than its measured
 * size warrants, and errors that name the line of the script.
 */
#include "json.h"

#include "budget.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <string.h>

#define STEPS_PER_VALUE 8
#define BYTES_PER_VALUE 8 /* what a number, a comma, a bracket may take */
#define BYTES_PER_STEP  2

/* Adds up what the value on top of the stack will take; an error when that is too much. */
static void measure(lua_State *L, size_t *bytes, int depth)
{
    budget_spend(L, STEPS_PER_VALUE);
    *bytes += BYTES_PER_VALUE;
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t len = lua_objlen(L, -1);
        budget_spend(L, (unsigned)(len / BYTES_PER_STEP));
        *bytes += len;
    }
    if (*bytes > JSON_BYTES)
        luaL_error(L, "json.encode: the value is too big (over %d MiB)", (int)(JSON_BYTES >> 20));
    if (!lua_istable(L, -1))
        return;
    if (depth == JSON_DEPTH)
        luaL_error(L, "json.encode: tables nest deeper than %d levels, or one holds itself",
                   JSON_DEPTH);
    luaL_checkstack(L, 4, "json.encode");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING)
            *bytes += lua_objlen(L, -2);
        measure(L, bytes, depth + 1);
        lua_pop(L, 1);
    }
}

/* Calls upvalue 1, a function of lua-cjson, with argument 1. */
static int call(lua_State *L, const char *name)
{
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (lua_pcall(L, 1, 1, 0) == 0)
        return 1;
    /* Caught only to add the script's line, which the library cannot see. */
    return luaL_error(L, "json.%s: %s", name, lua_tostring(L, -1));
}

/* json.encode(value) */
static int encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    size_t bytes = 0;
    measure(L, &bytes, 0);
    return call(L, "encode");
}

/* json.decode(text) */
static int decode(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    return call(L, "decode");
}

/* Calls an option's setter of the library instance on top of the stack. */
static void set_depth(lua_State *L, const char *option)
{
    lua_getfield(L, -1, option);
    lua_pushinteger(L, JSON_DEPTH);
    lua_call(L, 1, 0);
}

void json_install(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    set_depth(L, "encode_max_depth");
    set_depth(L, "decode_max_depth");
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);

    lua_getfield(L, -1, "encode");
    lua_pushcclosure(L, encode, 1);
    lua_setfield(L, -3, "encode");
    lua_getfield(L, -1, "decode");
    lua_pushcclosure(L, decode, 1);
    lua_setfield(L, -3, "decode");
    lua_getfield(L, -1, "null");
    lua_setfield(L, -3, "null");
    lua_pop(L, 1);
    lua_setfield(L, -2, "json");
}
