/*
 * seal: tables that scripts can read and not write.
 */
#ifndef INTERIM_LUA_SEAL_H
#define INTERIM_LUA_SEAL_H

#include <lua.h>

/*
 * Seals the table on top, which messages call `name`, and leaves the table that now holds its
 * contents: the sealed one is empty, reads go through to the other, writes are refused. Raises when
 * memory is out.
 */
void seal_table(lua_State *L, const char *name);

/* What writes without asking a metatable asks this first: raises if the first argument is sealed.
 * `function` is what the message names. */
void seal_check(lua_State *L, const char *function);

#endif
