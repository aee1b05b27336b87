/*
 * pool: idle connections to one address of an origin, last in first out.
 *
 * Bounded in number and age. A connection that ends, fails or says anything while it is idle is
 * closed: whatever it said belongs to no request.
 */
#ifndef INTERIM_NET_POOL_H
#define INTERIM_NET_POOL_H

#include "net/conn.h"
#include "net/deadline.h"

struct pool;

/* One connection to an origin: in a pool, or at work for one exchange. */
struct uplink {
    struct conn conn;
    struct doom doom;
    struct list node;  /* in its pool while idle */
    struct pool *pool; /* of its address; outlives it */
    double since;      /* idle since */
    bool idle;
    bool reused; /* has carried an exchange before */
};

struct pool {
    struct net *net;
    struct list node; /* in net.pools */
    struct list idle; /* the latest first */
    size_t idle_count;
    size_t busy_count;
    size_t max_idle;
    double max_age;
    struct deadline oldest;
    uint64_t *open; /* a gauge of connections, idle and busy */
};

void pool_init(struct pool *p, struct net *net, size_t max_idle, double max_age, uint64_t *open);

/* Closes the idle ones. None may be busy: their exchanges hold what holds the pool. */
void pool_close(struct pool *p);

/* The connection used last of which nothing was heard since, or NULL. It is busy then: events and
 * owner are still to be set. `once`: it is to carry what cannot be sent again, so the kernel is
 * asked for what the loop may not have seen yet. */
struct uplink *pool_take(struct pool *p, bool once);

/* A new connection is being opened: busy. Where descriptors are out, an idle one of some pool makes
 * room. NULL with errno if it failed at once. */
struct uplink *pool_connect(struct pool *p, const struct addr *to, const struct conn_events *events,
                            void *owner);

/* Gives a busy connection back, for another exchange. Closes it when the pool is full, when it has
 * output waiting, or when something came on it that was not read. */
void pool_give(struct uplink *u);

/* Ends a busy or idle connection; the memory goes behind the event. */
void pool_discard(struct uplink *u);

#endif
