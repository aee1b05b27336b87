/*
 * config_local: what the files of config share.
 */
#ifndef INTERIM_LUA_CONFIG_LOCAL_H
#define INTERIM_LUA_CONFIG_LOCAL_H

#include "config.h"

#define CONFIG_WHY_MAX 400

/* The places in config_tables. */
enum config_place {
    CONFIG_POLICY,
    CONFIG_TIMEOUTS,
    CONFIG_LIMITS,
    CONFIG_UPSTREAM,
    CONFIG_UPSTREAM_TIMEOUTS,
    CONFIG_ADMIN,
    CONFIG_VIA,
};

/* Reads the table at `index` by the rules of that place into the struct at `base`. */
void config_read_table(struct schema *s, int index, enum config_place place, void *base);

/* config_upstreams. The first three read fields of the upstream that was added last. */
void config_read_addresses(struct schema *s, int index);
void config_read_upstream_timeouts(struct schema *s, int index);
void config_read_proxy_version(struct schema *s, int index);
void config_read_upstreams(struct schema *s, int index);
void config_read_upstream(struct schema *s, int index);

#endif
