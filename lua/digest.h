/*
 * digest: interim.sha256, hmac, equal and base64, by the library nettle.
 */
#ifndef INTERIM_LUA_DIGEST_H
#define INTERIM_LUA_DIGEST_H

#include <lua.h>

/* Adds the functions, and `base64`, to the table on top of the stack. */
void digest_install(lua_State *L);

#endif
