/*
 * verdict: what a hook returned, as the core understands it.
 */
#ifndef INTERIM_LUA_VERDICT_H
#define INTERIM_LUA_VERDICT_H

#include "proxy/policy.h"

#include <lua.h>

/*
 * Turns the value at `index` of L into call->verdict; strings are copied into the view's arena.
 * False when it is none of the hook's values: the error's text, which lists them, is in `why`. Only
 * the reading of a table may raise a Lua error.
 */
bool verdict_read(lua_State *L, int index, struct policy_call *call, char *why, size_t why_size);

#endif
