/*
 * stats: what a worker counts.
 *
 * One struct per worker, in memory that the parent shares with all of them: a worker writes its
 * own, anybody may read. Counters move only where an object changes state, so that two laws hold
 * whenever a worker is at rest, and tests check them after every scenario:
 *
 *     requests = answered by upstream + answered here + aborted + cut
 *     accepted = open + closed
 */
#ifndef INTERIM_PROXY_STATS_H
#define INTERIM_PROXY_STATS_H

#include "base/buf.h"

#define STATS(X)                                                                                   \
    X(accepted, "client connections accepted")                                                     \
    X(closed, "client connections closed")                                                         \
    X(open, "client connections open now")                                                         \
    X(requests, "exchanges ended, and those under way")                                            \
    X(active, "exchanges under way now")                                                           \
    X(answered_upstream, "exchanges whose final response came from an origin, complete")           \
    X(answered_here, "exchanges answered by the proxy itself: policy, page or error")              \
    X(aborted, "exchanges the client left before they were over")                                  \
    X(cut, "exchanges whose response was begun and could not be completed")                        \
    X(tunnels, "tunnels open now")                                                                 \
    X(upgrades, "upgrades that became a tunnel")                                                   \
    X(upgrades_declined, "forwarded upgrades the origin did not take")                             \
    X(upgrades_refused, "upgrades the policy refused")                                             \
    X(interims_100, "100 forwarded")                                                               \
    X(interims_102, "102 forwarded")                                                               \
    X(interims_103, "103 forwarded")                                                               \
    X(interims_other, "other interim responses forwarded")                                         \
    X(interims_dropped, "interim responses not passed on: HTTP/1.0 client, or a swallowed 100")    \
    X(expect_forwarded, "expectations passed to an origin")                                        \
    X(expect_continued, "expectations answered here with 100")                                     \
    X(expect_refused, "expectations answered here with a final response")                          \
    X(timeouts, "deadlines that ended an exchange")                                                \
    X(upstream_connects, "connections to origins opened")                                          \
    X(upstream_reused, "requests sent on a pooled connection")                                     \
    X(upstream_open, "connections to origins open now")                                            \
    X(upstream_retries, "requests sent again on a fresh connection")                               \
    X(upstream_failures, "origins refused, unreachable or broken")                                 \
    X(disagreements, "heads that the two readers read differently; always 0")                      \
    X(hook_errors, "hooks that failed")                                                            \
    X(accept_pauses, "times accepting was paused for want of descriptors or memory")

struct stats {
#define STATS_MEMBER(name, text) uint64_t name;
    STATS(STATS_MEMBER)
#undef STATS_MEMBER
};

void stats_add(struct stats *sum, const struct stats *s);

/* Appends {"accepted":1,...} without a newline. */
bool stats_write_json(struct buf *out, const struct stats *s);

#endif
