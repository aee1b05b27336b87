/*
 * upstream: one named group of addresses, and the way to a connection to one of them.
 *
 * An address is chosen by turns or by the fewest busy connections. If connecting to it fails, the
 * others are tried in order: nothing was sent yet, so nothing can be done twice. Addresses that
 * have failed lately rest (net/health): they are tried only behind all others, so never are all of
 * them passed over.
 */
#ifndef INTERIM_NET_UPSTREAM_H
#define INTERIM_NET_UPSTREAM_H

#include "net/health.h"
#include "net/pool.h"

#define UPSTREAM_ADDRESSES 256 /* of one upstream, at most */

struct upstream_address {
    struct addr addr;
    char text[ADDR_TEXT_MAX]; /* of it, made once */
    struct pool pool;
    struct health health;
};

struct upstream {
    struct net *net;
    struct upstream_address *addresses;
    size_t count;
    size_t turn;
    bool least; /* fewest busy first, instead of by turns */
};

/* One search for a connection. Zeroed at its start, save for what is wanted. */
struct upstream_search {
    size_t first; /* address tried first */
    size_t tried; /* how many addresses were tried so far */
    size_t index; /* of the one tried last */
    int error;    /* errno of the attempt that failed last */
    bool fresh;   /* no idle connection is wanted */
    bool once;    /* what is to be sent cannot be sent again: see pool_take */
    uint64_t tried_set[UPSTREAM_ADDRESSES / 64];
};

/* Copies the addresses. False: no memory. `open` is the gauge of connections. */
bool upstream_init(struct upstream *u, struct net *net, const struct addr *addresses, size_t count,
                   bool least, size_t max_idle, double max_age, uint64_t *open);
void upstream_close(struct upstream *u);

/*
 * Tries the next address: an idle connection to it (its `reused` is set, it can be written to at
 * once), or one that is connecting (`events->connected` comes). NULL with search->error: that
 * address failed at once. Only while search->tried < count.
 */
struct uplink *upstream_next(struct upstream *u, struct upstream_search *search,
                             const struct conn_events *events, void *owner);

/* The address that a search tried last did not serve its request. The seconds it rests, if this
 * begins a rest; else 0. */
double upstream_failed(struct upstream *u, const struct upstream_search *search,
                       enum health_failure failure);

/* It did. True if it had rested. */
bool upstream_answered(struct upstream *u, const struct upstream_search *search);

#endif
