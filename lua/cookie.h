/*
 * cookie: interim.cookie: reads the Cookie field (RFC 6265 section 4.2).
 */
#ifndef INTERIM_LUA_COOKIE_H
#define INTERIM_LUA_COOKIE_H

#include <lua.h>

/* Adds `cookie` to the table on top of the stack. */
void cookie_install(lua_State *L);

#endif
