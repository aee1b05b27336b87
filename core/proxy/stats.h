/*
 * stats: what a worker counts.
 *
 * One struct per worker, in memory that the parent shares with all of them: a worker writes its
 * own, anybody may read. Counters move only where an object changes state, so that two laws hold
 * whenever a worker is at rest, and tests check them after every scenario:
 *
 *     requests = answered by upstream + answered here + aborted + cut
 *     accepted = open + closed
 *
 * They are read in this order while they move. A gauge stands before what it turns into: who reads
 * that none is open has all of them among the closed.
 */
#ifndef INTERIM_PROXY_STATS_H
#define INTERIM_PROXY_STATS_H

#include "base/buf.h"
#include "proxy/histogram.h"
#include "proxy/policy.h"

#define STATS(X)                                                                                   \
    X(accepted, "client connections accepted")                                                     \
    X(open, "client connections open now")                                                         \
    X(closed, "client connections closed")                                                         \
    X(yielded, "of them: idle, closed to make room within `limits.connections`")                   \
    X(refused, "client connections over `limits.connections_per_address`: 503, or reset")          \
    X(full, "times accepting rested at `limits.connections` until a client left")                  \
    X(requests, "exchanges ended, and those under way")                                            \
    X(active, "exchanges under way now")                                                           \
    X(answered_upstream, "exchanges whose final response came from an origin, complete")           \
    X(answered_here, "exchanges answered by the proxy itself: policy, page or error")              \
    X(aborted, "exchanges that ended too soon: the client left, or the worker stopped")            \
    X(cut, "exchanges whose response was begun and could not be completed")                        \
    X(tunnels, "tunnels open now")                                                                 \
    X(upgrades_offered, "upgrades passed to an origin")                                            \
    X(upgrades_websocket, "of them: switched to websocket, now a tunnel or one that was")          \
    X(upgrades_other, "of them: switched to another protocol")                                     \
    X(upgrades_declined, "of them: the origin gave a final response instead")                      \
    X(upgrades_broken, "of them: the origin sent a 101 that does not fit the offer")               \
    X(upgrades_ordinary, "upgrades of which nothing was passed on")                                \
    X(upgrades_refused, "upgrades the policy refused")                                             \
    X(interims_100, "100 forwarded")                                                               \
    X(interims_102, "102 forwarded")                                                               \
    X(interims_103, "103 forwarded")                                                               \
    X(interims_other, "other interim responses forwarded")                                         \
    X(interims_dropped, "interim responses not passed on: HTTP/1.0 client, or a swallowed 100")    \
    X(expect_forwarded, "expectations passed to an origin")                                        \
    X(expect_origin_100, "of them: the origin said 100")                                           \
    X(expect_origin_final, "of them: the origin gave a final response, the body was never sent")   \
    X(expect_started, "of them: the client sent its body unasked")                                 \
    X(expect_timed, "of them: the origin was silent, the proxy said 100 (`continue`)")             \
    X(expect_continued, "expectations answered here with 100")                                     \
    X(expect_refused, "expectations answered here with a final response")                          \
    X(timeouts_header, "heads that took longer than `header`: 408; PROXY headers: closed")         \
    X(timeouts_idle, "client connections closed after `idle`")                                     \
    X(timeouts_body, "request bodies without progress for `body`: 408")                            \
    X(timeouts_connect, "connections to origins not made within `connect`: 522")                   \
    X(timeouts_send, "origins that took nothing for `send`: 522")                                  \
    X(timeouts_response, "no final response within `response`: 524")                               \
    X(timeouts_processing, "no final response within `processing` after a 102: 522")               \
    X(timeouts_exchange, "no final response within `exchange`: 524")                               \
    X(timeouts_stall, "response bodies without progress for `stall`: cut")                         \
    X(timeouts_half_close, "clients that had ended their side, closed after `half_close`")         \
    X(timeouts_tunnel, "tunnels without a byte for `tunnel`: closed")                              \
    X(timeouts_hook, "hooks that waited longer than `hook`: failed")                               \
    X(upstream_connects, "connections to origins opened")                                          \
    X(upstream_reused, "requests sent on a pooled connection")                                     \
    X(upstream_open, "connections to origins open now")                                            \
    X(upstream_retries, "requests sent again on a fresh connection")                               \
    X(upstream_rests, "times an address of an origin was passed over for a while after failing")   \
    X(upstream_failures, "origins refused, unreachable or broken")                                 \
    X(disagreements, "heads that the two readers read differently; always 0")                      \
    X(hook_errors, "hooks that failed")                                                            \
    X(generations, "policy generations alive: the one in use, and old ones still needed")          \
    X(log_lost, "access log lines lost: nobody took them")                                         \
    X(accept_pauses, "times accepting was paused for want of descriptors or memory")

#define STATS_STATUS_FIRST 100
#define STATS_STATUSES     500 /* 100 to 599 */
#define STATS_ORIGINS      SETTINGS_ADDRESSES

struct hook_stats {
    uint64_t asked;
    uint64_t failed;
    struct histogram runs; /* each stretch on the CPU, by histogram_runs; see pulse_time_hooks */
};

/* One address of one upstream. A reload may number them anew, so each place bears its names. */
struct origin_stats {
    char upstream[ADDR_TEXT_MAX]; /* "": the place is free, and so are all behind it */
    char address[ADDR_TEXT_MAX];
    uint64_t connects;           /* connections begun */
    uint64_t requests;           /* sent to it, those sent again included */
    uint64_t failures;           /* not reached, or broke off */
    uint64_t rests;              /* times it was passed over for a while */
    double rests_until;          /* monotonic */
    struct histogram first_byte; /* end of a request's head to the first byte of any response */
};

struct stats {
#define STATS_MEMBER(name, text) uint64_t name;
    STATS(STATS_MEMBER)
#undef STATS_MEMBER
    uint64_t statuses[STATS_STATUSES]; /* final ones sent to clients, and 101, from 100 on */
    struct histogram elapsed;          /* of exchanges that were no tunnels, by histogram_waits */
    struct hook_stats hooks[HOOK_COUNT];
    struct origin_stats origins[STATS_ORIGINS];
};

/* `rests_until` becomes the latest. */
void stats_add(struct stats *sum, const struct stats *s);

/* The place of an address, taken if it has none. Where all are taken the last one stands for all
 * that come later. */
struct origin_stats *stats_origin(struct stats *s, const char *upstream, const char *address);

/* Appends {"accepted":1,...} without a newline: the counters of the list. */
bool stats_write_json(struct buf *out, const struct stats *s);

#endif
