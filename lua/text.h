/*
 * text: interim.trim, split, starts, ends: common work on strings in linear time, without patterns.
 */
#ifndef INTERIM_LUA_TEXT_H
#define INTERIM_LUA_TEXT_H

#include <lua.h>

/* Adds the functions to the table on top of the stack. */
void text_install(lua_State *L);

#endif
