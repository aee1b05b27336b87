/*
 * proxy: all the proxying of one worker: its listeners, clients, origins and the generations of
 * settings and policy they run under. The only door through which core/process reaches this layer.
 */
#ifndef INTERIM_PROXY_PROXY_H
#define INTERIM_PROXY_PROXY_H

#include "proxy/listing.h"
#include "proxy/policy.h"
#include "proxy/settings.h"
#include "proxy/stats.h"

struct ev_loop;
struct proxy;

/*
 * NULL when memory is out. `stats` is this worker's own and outlives it; `access_fd` takes the
 * access log; `worker` is a number for log lines and request ids. proxy_use must come before the
 * first listener.
 */
struct proxy *proxy_new(struct ev_loop *loop, struct stats *stats, int access_fd, unsigned worker);

/* Stops everything at once; every connection is closed. */
void proxy_free(struct proxy *p);

/*
 * From now on new requests run under these settings and this policy (NULL: none), also on
 * connections already open. Exchanges under way finish under the generation they began with. When
 * the last of them is over, the policy is freed and then `gone(arg)` called, which may free the
 * settings. False when memory is out: nothing changed, and neither was taken over.
 */
bool proxy_use(struct proxy *p, const struct settings *settings, struct policy *policy,
               uint64_t generation, void (*gone)(void *arg), void *arg);

/*
 * What the process has descriptors for: so many clients at a time, whatever limits.connections
 * allows, and so many pipes to pass bytes through unread. Without it, any number and a few.
 */
void proxy_bound(struct proxy *p, size_t clients, size_t pipes);

/* Accepts clients on a listening socket, which stays the caller's to close. False: no memory. */
bool proxy_listen(struct proxy *p, int fd);

/* Takes what waits in the socket's queue, then accepts no more on it. */
void proxy_unlisten(struct proxy *p, int fd);

/* Writes down the clients, the oldest first. */
void proxy_list_clients(const struct proxy *p, struct listing *out, uint32_t serial);

/*
 * No more clients: idle connections close now, the others after the exchange under way; tunnels
 * end when their sides end them. `done(arg)` is called from the loop once none is left, and no log
 * hook waits.
 */
void proxy_drain(struct proxy *p, void (*done)(void *arg), void *arg);

#endif
