/*
 * told: what the timeout, error and log hooks are told in a trial: from the table at index 2, which
 * lua/interim/ has checked (what a user says, in given.lua). What it does not hold is 0 or "".
 */
#ifndef INTERIM_LUA_TOLD_H
#define INTERIM_LUA_TOLD_H

#include "trial.h"

#include <lua.h>

void told_trouble(lua_State *L, struct trial *t);
void told_result(lua_State *L, struct trial *t);

#endif
