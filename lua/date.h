/*
 * date: interim.time: dates as HTTP writes them (RFC 9110 section 5.6.7).
 */
#ifndef INTERIM_LUA_DATE_H
#define INTERIM_LUA_DATE_H

#include <lua.h>

/* Adds `time` to the table on top of the stack. */
void date_install(lua_State *L);

#endif
