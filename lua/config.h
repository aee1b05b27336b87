/*
 * config: the policy table's data fields as settings. Every field is described by one row of a
 * table; a field that no row describes is an error, never ignored.
 */
#ifndef INTERIM_LUA_CONFIG_H
#define INTERIM_LUA_CONFIG_H

#include "base/buf.h"
#include "proxy/settings.h"
#include "schema.h"

#include <lua.h>

/*
 * Reads the policy table at `index` over the defaults in *settings. Goes on after an error, so that
 * all are told at once: one line each in *errors, "file: the.key: what is wrong and what would be
 * right". False if there was any. Raises only when memory is out.
 */
bool config_read(lua_State *L, int index, const char *file, struct settings *settings,
                 struct buf *errors);

/* All rules there are, by the table that they are of: "policy", "timeouts", … up to a NULL name. */
struct config_table {
    const char *name;
    const struct schema_rule *rules;
    size_t count;
};

extern const struct config_table config_tables[];

#endif
