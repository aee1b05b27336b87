/*
 * sandbox: what a policy finds when it runs, and what it does not.
 *
 * Everything a script can reach is on a list here, not what the installed LuaJIT happens to bring.
 * Absent: io, ffi, jit, debug, package, os.execute and its like, everything that loads code, and
 * whatever could leave the budget. pcall and coroutines are wrapped so that neither can hold back
 * the budget's error.
 */
#ifndef INTERIM_LUA_SANDBOX_H
#define INTERIM_LUA_SANDBOX_H

#include <lua.h>

struct settings;

/* Fills the globals of a fresh state, with what settings->allow adds. Raises when memory is out. */
void sandbox_open(lua_State *L, const struct settings *settings);

/* After loading: globals and libraries are read-only from now on. Raises when memory is out. */
void sandbox_seal(lua_State *L);

#endif
