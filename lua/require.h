/*
 * require: finds the modules of a policy: interim's own, and files beside the policy file, which
 * the loader reads into the bundle and a worker finds there. `require "a.b"` is a/b.lua or
 * a/b/init.lua.
 */
#ifndef INTERIM_LUA_REQUIRE_H
#define INTERIM_LUA_REQUIRE_H

#include <lua.h>

/* Sets the global `require`; the `interim` table is on top of the stack. */
void require_install(lua_State *L);

/* Makes the value on top of the stack, which it takes, the module of that name; not once a policy
 * is loaded. */
void require_provide(lua_State *L, const char *name);

/* Runs the policy file, the bundle's source of the empty name, and leaves its one result on the
 * stack. Raises what it raises. */
void require_policy(lua_State *L);

#endif
