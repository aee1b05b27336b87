/*
 * sleep: interim.sleep(seconds), the first thing a hook can wait for.
 */
#ifndef INTERIM_LUA_SLEEP_H
#define INTERIM_LUA_SLEEP_H

#include <lua.h>

/* Adds `sleep` to the table on top of the stack. */
void sleep_install(lua_State *L);

#endif
