/*
 * upstream: one named group of addresses, and the way to a connection to one of them.
 *
 * An address is chosen by turns or by the fewest busy connections. If connecting to it fails, the
 * others are tried in order: nothing was sent yet, so nothing can be done twice.
 */
#ifndef INTERIM_NET_UPSTREAM_H
#define INTERIM_NET_UPSTREAM_H

#include "net/pool.h"

struct upstream_address {
    struct addr addr;
    char text[ADDR_TEXT_MAX]; /* of it, made once */
    struct pool pool;
};

struct upstream {
    struct net *net;
    struct upstream_address *addresses;
    size_t count;
    size_t turn;
    bool least; /* fewest busy first, instead of by turns */
};

/* One search for a connection. Zeroed at its start. */
struct upstream_search {
    size_t first; /* address tried first */
    size_t tried; /* addresses tried so far */
    size_t index; /* of the one tried last */
    int error;    /* errno of the attempt that failed last */
};

/* Copies the addresses. False: no memory. `open` is the gauge of connections. */
bool upstream_init(struct upstream *u, struct net *net, const struct addr *addresses, size_t count,
                   bool least, size_t max_idle, double max_age, uint64_t *open);
void upstream_close(struct upstream *u);

/*
 * Tries the next address: an idle connection to it (its `reused` is set, it can be written to at
 * once), or one that is connecting (`events->connected` comes). `fresh` asks for no idle one. NULL
 * with search->error: that address failed at once. Only while search->tried < count.
 */
struct uplink *upstream_next(struct upstream *u, struct upstream_search *search, bool fresh,
                             const struct conn_events *events, void *owner);

#endif
