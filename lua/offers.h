/*
 * offers: reads the protocols that an upgrade hook returned.
 */
#ifndef INTERIM_LUA_OFFERS_H
#define INTERIM_LUA_OFFERS_H

#include "http/upgrade.h"

#include <lua.h>

/*
 * Adds to `out` those of the protocol, or list of protocols, at `index` that are among the offered
 * ones, in its order. False if it is neither; then `why` says what is wrong in the list, or is left
 * alone if it is no table.
 */
bool offers_read(lua_State *L, int index, const struct upgrade_offers *offered,
                 struct upgrade_offers *out, char *why, size_t why_size);

#endif
