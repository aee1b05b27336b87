/*
 * seal: a sealed table is empty, and its metatable, which no script can take off, reads from
 * another.
 */
#include "seal.h"

#include <lauxlib.h>
#include <string.h>

static int refuse_write(lua_State *L)
{
    const char *table = lua_tostring(L, lua_upvalueindex(1));

    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "%s is read-only", table);
    if (strcmp(table, "_G") == 0)
        return luaL_error(L,
                          "writing the global \"%s\" after the policy is loaded: keep it in a "
                          "local, or in req.ctx",
                          lua_tostring(L, 2));
    return luaL_error(L, "%s.%s is read-only", table, lua_tostring(L, 2));
}

void seal_table(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3) != 0) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -5);
    }
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, refuse_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -3);
}

void seal_check(lua_State *L, const char *function)
{
    if (!luaL_getmetafield(L, 1, "__newindex"))
        return;
    if (lua_tocfunction(L, -1) == refuse_write)
        luaL_error(L, "%s: this table is read-only", function);
    lua_pop(L, 1);
}
