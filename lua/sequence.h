/*
 * sequence: whether a table is a list. Lua's own length passes over a hole, and over every key that
 * is no place, so whoever takes a list asks here.
 */
#ifndef INTERIM_LUA_SEQUENCE_H
#define INTERIM_LUA_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#define SEQUENCE_WHY_MAX 80

/*
 * How many items the table at `index` has, if its keys are exactly 1 to that number; 0 if it is
 * empty. Else -1, and `why` says what is wrong: "place 2 is empty", "the key \"a\" is no place".
 * It takes as long as the table was at its largest, however few are left: whoever asks for a script
 * looks at its budget afterwards (budget_check).
 */
int sequence_length(lua_State *L, int index, char why[SEQUENCE_WHY_MAX]);

/* True if the table at `index` has keys, all of them names: that is no list and was not meant as
 * one. */
bool sequence_is_record(lua_State *L, int index);

#endif
