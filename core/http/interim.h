/*
 * interim: what becomes of each 1xx of an origin (RFC 9110 section 15.2). Fixed here, in C, and
 * not a matter of policy.
 */
#ifndef INTERIM_HTTP_INTERIM_H
#define INTERIM_HTTP_INTERIM_H

#include "base/slice.h"
#include "http/expect.h"

/* Bounds on all interim responses of one exchange. */
struct interim_limits {
    size_t count; /* of 1xx responses */
    size_t bytes; /* of their heads together, as received */
};

/* What one exchange has seen. Zeroed at its start. */
struct interim {
    size_t count;     /* received */
    size_t bytes;     /* received */
    size_t forwarded; /* passed on to the client */
    int last;         /* latest code received, 0 when none */
};

/* Which 1xx it is. */
#define INTERIM_KINDS(X)                                                                           \
    X(CONTINUE, "100")                                                                             \
    X(SWITCHING, "101")                                                                            \
    X(OTHER, "102, 103, any other")

/* Who would see it. */
#define INTERIM_CLIENTS(X)                                                                         \
    X(HTTP10, "an HTTP/1.0 client")                                                                \
    X(HTTP11, "an HTTP/1.1 client")                                                                \
    X(UPGRADING, "one whose upgrade was forwarded")

#define INTERIM_ACTIONS(X)                                                                         \
    X(FORWARD, "pass it on at once")                                                               \
    X(SWALLOW, "drop it")                                                                          \
    X(UPGRADE, "a 101 to a forwarded upgrade: check it, then tunnel")                              \
    X(REFUSE, "502: unasked-for 101, or more than the limits allow")
#define INTERIM_KIND_ENUM(name, text)   INTERIM_KIND_##name,
#define INTERIM_CLIENT_ENUM(name, text) INTERIM_CLIENT_##name,
#define INTERIM_ACTION_ENUM(name, text) INTERIM_##name,
enum interim_kind { INTERIM_KINDS(INTERIM_KIND_ENUM) INTERIM_KIND_COUNT };
enum interim_client { INTERIM_CLIENTS(INTERIM_CLIENT_ENUM) INTERIM_CLIENT_COUNT };
enum interim_action { INTERIM_ACTIONS(INTERIM_ACTION_ENUM) INTERIM_ACTION_COUNT };

/* The table itself: what becomes of a 1xx of that kind, within the limits. A 100 that is to be
 * forwarded is also an event of http/expect, which may swallow it. */
enum interim_action interim_rule(enum interim_kind kind, enum interim_client client);

/*
 * Counts a 1xx of `bytes` bytes and says what to do with it. `client_minor` is the HTTP/1 minor
 * version of the client (0: it never sees a 1xx), `upgrading` whether an upgrade was forwarded on
 * this very request, `expect` the expectation's state, which a 100 moves. *why is set on REFUSE.
 */
enum interim_action interim_step(struct interim *seen, const struct interim_limits *limits,
                                 int code, size_t bytes, unsigned client_minor, bool upgrading,
                                 enum expect_state *expect, const char **why);

#endif
