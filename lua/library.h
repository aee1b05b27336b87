/*
 * library: what policies reach as `interim.…`, apart from waiting: text, JSON, digests, base64,
 * address matching, log lines, clocks. The reference for operators is README.md in this folder.
 *
 * A wrong argument of the script is a Lua error. What came from a client and may be anything
 * (base64 text, an address) gives nil instead. Work that grows with its arguments is paid for from
 * the running hook's CPU budget.
 */
#ifndef INTERIM_LUA_LIBRARY_H
#define INTERIM_LUA_LIBRARY_H

#include "base/log.h"
#include "base/slice.h"

#include <lua.h>

/* Writes one line that says who is speaking. Nothing in `text` ends it early, NUL included. */
void library_log(lua_State *L, enum log_level level, struct slice text);

/* Adds everything to the table on top of the stack: `interim`. */
void library_install(lua_State *L);

#endif
