/*
 * json: interim.json.encode, decode and null, by lua-cjson, with bounds.
 *
 * Values nest at most JSON_DEPTH levels, and what is encoded holds at most JSON_BYTES of strings
 * and other values. lua-cjson writes into memory that no cap of the policy covers, and a table that
 * holds another one twice, forty times over, would keep it busy for years: so the size is measured
 * first, at the expense of the hook's budget.
 */
#ifndef INTERIM_LUA_JSON_H
#define INTERIM_LUA_JSON_H

#include <lua.h>

#define JSON_DEPTH 100
#define JSON_BYTES (8u << 20)

/* Adds `json` to the table on top of the stack. */
void json_install(lua_State *L);

#endif
