/*
 * local: what the files of this layer share about one worker. Nobody else includes it.
 */
#ifndef INTERIM_PROXY_LOCAL_H
#define INTERIM_PROXY_LOCAL_H

#include "net/census.h"
#include "proxy/access.h"
#include "proxy/generation.h"
#include "proxy/proxy.h"

struct proxy {
    struct net net;
    struct stats *stats;
    struct access access;
    struct generation *current;
    struct list generations; /* alive, the oldest first */
    struct list listeners;
    struct list clients; /* with a request under way */
    struct list idle;    /* clients without one, the longest idle first */
    struct census census;
    size_t most_clients; /* at a time: what descriptors allow */
    size_t refusing;     /* clients that are being told that their address has too many */
    size_t laden;        /* clients that hold much more than one read, from behind chunks */
    double refusal_logged;
    double full_logged;
    double buffered_logged;
    bool full;             /* listeners rest until a client closes */
    struct list exchanges; /* under way */
    struct list spare;     /* exchanges to use again */
    size_t spare_count;
    uint64_t next_id;
    char date[32];     /* IMF-fixdate, right */
    double date_until; /* this monotonic time */
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
};

/* The time now for a Date field (RFC 9110 section 5.6.7); lives until the next call. */
struct slice proxy_date(struct proxy *p);

/* Whether it is time to say in the log again what was said at *last, which is moved then. */
bool proxy_may_complain(const struct proxy *p, double *last);

/* A client is gone: there is room for another, and the last one ends a drain. */
void proxy_client_closed(struct proxy *p);

/* Likewise, an exchange. */
void proxy_check_drained(struct proxy *p);

#endif
