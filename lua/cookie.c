/*
 * Owns the reading of cookies. Promises that a name has one value, the first, which is what most
 * servers take, and that values are the bytes that were set: no quotes removed, nothing decoded.
 */
#include "cookie.h"

#include "base/slice.h"
#include "budget.h"

#include <lauxlib.h>

#define BYTES_PER_STEP  8
#define STEPS_PER_PIECE 64 /* two strings are made and stored */

/* Adds "name=value" to the table at `table`, unless it has that name; other text is left out. */
static void add_cookie(lua_State *L, int table, struct slice pair)
{
    struct slice name = slice_of(pair.at, slice_find(pair, '='));
    struct slice value = slice_trim(slice_skip(pair, name.len + 1));

    if (name.len == pair.len)
        return;
    name = slice_trim(name);
    if (slice_is_empty(name))
        return;
    lua_pushlstring(L, name.at, name.len);
    lua_pushvalue(L, -1);
    lua_rawget(L, table);
    if (lua_isnil(L, -1)) {
        lua_pushvalue(L, -2);
        lua_pushlstring(L, value.at, value.len);
        lua_rawset(L, table);
    }
    lua_pop(L, 2);
}

/* parse(field): nil, an absent field, holds no cookies */
static int parse(lua_State *L)
{
    struct slice rest = SLICE("");

    if (!lua_isnil(L, 1))
        rest.at = luaL_checklstring(L, 1, &rest.len);
    budget_spend(L, (unsigned)(rest.len / BYTES_PER_STEP) + 1);
    lua_settop(L, 1);
    lua_newtable(L);
    while (rest.len > 0) {
        struct slice pair = slice_of(rest.at, slice_find(rest, ';'));
        rest = slice_skip(rest, pair.len + 1);
        budget_spend(L, STEPS_PER_PIECE);
        add_cookie(L, 2, pair);
    }
    return 1;
}

void cookie_install(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, parse);
    lua_setfield(L, -2, "parse");
    lua_setfield(L, -2, "cookie");
}
