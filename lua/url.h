/*
 * url: interim.url: percent-encoding (RFC 3986 section 2.1) and query strings.
 */
#ifndef INTERIM_LUA_URL_H
#define INTERIM_LUA_URL_H

#include <lua.h>

/* Adds `url` to the table on top of the stack. */
void url_install(lua_State *L);

#endif
