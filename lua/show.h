/*
 * show: a value of Lua as an error tells of it.
 */
#ifndef INTERIM_LUA_SHOW_H
#define INTERIM_LUA_SHOW_H

#include <lua.h>

#define SHOW_MAX 80

/* What is at `index`, as a script would write it, cut if it is long; returns `text`. */
const char *show_value(lua_State *L, int index, char text[SHOW_MAX]);

#endif
