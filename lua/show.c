/*
 * show: owns nothing. Promises text that ends, whatever the value; bytes that are not printable are
 * left to whoever writes it out.
 */
#include "show.h"

#include "handle.h"

#include <lauxlib.h>
#include <stdio.h>

#define TEXT_MAX 60

const char *show_value(lua_State *L, int index, char text[SHOW_MAX])
{
    size_t len;

    if (lua_type(L, index) == LUA_TSTRING) {
        const char *at = lua_tolstring(L, index, &len);
        snprintf(text, SHOW_MAX, "\"%.*s\"", len > TEXT_MAX ? TEXT_MAX : (int)len, at);
    } else if (lua_type(L, index) == LUA_TNUMBER) {
        snprintf(text, SHOW_MAX, "%.14g", lua_tonumber(L, index));
    } else if (lua_type(L, index) == LUA_TBOOLEAN) {
        snprintf(text, SHOW_MAX, "%s", lua_toboolean(L, index) ? "true" : "false");
    } else if (lua_isnil(L, index)) {
        snprintf(text, SHOW_MAX, "nil");
    } else if (lua_islightuserdata(L, index)) {
        snprintf(text, SHOW_MAX, "%s", handle_name(L, index));
    } else {
        snprintf(text, SHOW_MAX, "a %s", luaL_typename(L, index));
    }
    return text;
}
