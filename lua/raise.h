/*
 * raise: what the headers of Lua do not say, and compilers and analysers should know: an error does
 * not come back. Included behind lauxlib.h by those whose next line counts on it.
 */
#ifndef RAISE_H
#define RAISE_H

#include <lauxlib.h>

int luaL_error(lua_State *L, const char *format, ...) __attribute__((noreturn));

#endif
