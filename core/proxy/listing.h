/*
 * listing: the clients of one worker, written down on demand in memory that it shares, the oldest
 * first. "Oldest" counts from when a client became idle, or its latest request began.
 */
#ifndef INTERIM_PROXY_LISTING_H
#define INTERIM_PROXY_LISTING_H

#include "proxy/settings.h"

#define LISTING_MAX       1000
#define LISTING_WORD_MAX  16
#define LISTING_PATH_MAX  128
#define LISTING_PLACE_MAX 64 /* an address; a longer one is cut */

#define LISTING_STATES(X)                                                                          \
    X(IDLE, "between requests")                                                                    \
    X(HEAD, "its head is being read")                                                              \
    X(HOOK, "a hook waits")                                                                        \
    X(CONNECT, "an origin is being connected to")                                                  \
    X(REQUEST, "its request is on its way to the origin")                                          \
    X(WAIT, "the origin has the request; no final response yet")                                   \
    X(RESPONSE, "the response is on its way")                                                      \
    X(TUNNEL, "a tunnel")                                                                          \
    X(CLOSING, "the answer is over; the client takes the rest of it")

#define LISTING_STATE_ENUM(name, text) LISTING_##name,
enum listing_state { LISTING_STATES(LISTING_STATE_ENUM) LISTING_STATE_COUNT };

/* Everything behind `requests` is of the exchange under way; "" and 0 without one. All text ends in
 * NUL. */
struct listing_row {
    double since; /* monotonic */
    enum listing_state state;
    char peer[LISTING_PLACE_MAX];
    uint64_t requests; /* begun on the connection */
    uint64_t generation;
    char id[20];
    char method[LISTING_WORD_MAX];
    char path[LISTING_PATH_MAX]; /* without its query, which may hold secrets */
    char upstream[LISTING_PLACE_MAX];
    char address[LISTING_PLACE_MAX];
    uint64_t bytes_in; /* from the client: of the body, or the tunnel */
    uint64_t bytes_out;
};

struct listing {
    uint32_t serial; /* of the question that it answers */
    uint32_t count;
    uint64_t total; /* of which `count` are listed */
    struct listing_row rows[LISTING_MAX];
};

const char *listing_state_name(enum listing_state state); /* "idle" */

#endif
