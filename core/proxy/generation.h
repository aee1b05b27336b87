/*
 * generation: one set of settings with its policy and its pools of connections. A reload makes
 * another; the old one lives until its last exchange is over.
 */
#ifndef INTERIM_PROXY_GENERATION_H
#define INTERIM_PROXY_GENERATION_H

#include "net/upstream.h"
#include "proxy/policy.h"
#include "proxy/settings.h"
#include "proxy/stats.h"

struct generation {
    struct doom doom;
    struct list node; /* in proxy.generations */
    struct net *net;
    struct stats *stats;
    const struct settings *settings;
    struct policy *policy; /* NULL: none */
    uint64_t number;
    size_t holders; /* the proxy while it is current, and every exchange under it */
    struct upstream upstreams[SETTINGS_UPSTREAMS];
    struct origin_stats *origins[SETTINGS_ADDRESSES]; /* what is counted of each address */
    void (*gone)(void *arg);
    void *arg;
};

/* Held once, by the caller. Takes over the policy. NULL: no memory, nothing was taken over. */
struct generation *generation_new(struct net *net, const struct settings *settings,
                                  struct policy *policy, uint64_t number, struct stats *stats,
                                  void (*gone)(void *arg), void *arg);

void generation_hold(struct generation *g);

/* The last release frees policy and pools behind the event, then calls `gone`. */
void generation_release(struct generation *g);

#endif
