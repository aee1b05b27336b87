/*
 * pattern: string.find, match, gmatch and gsub, safe on subjects that a client chose.
 *
 * They do what LuaJIT's own do, error messages included, but on a matcher that spends the running
 * hook's CPU budget (budget.h): "%s+$" on 64 KiB of blanks keeps Lua's own busy for seconds, inside
 * C, where nothing stops it. Two deliberate differences, both with numbers beyond 2^31: a huge
 * `init` means behind the end and a huge limit of gsub means no limit (Lua's wrap around).
 */
#ifndef INTERIM_LUA_PATTERN_H
#define INTERIM_LUA_PATTERN_H

#include <lua.h>

/* Sets the four functions in the table on top of the stack, the string library's. */
void pattern_install(lua_State *L);

#endif
