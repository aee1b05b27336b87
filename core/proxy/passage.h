/*
 * passage: an exchange whose connections have become a tunnel: what is left of it.
 *
 * A tunnel may stand for days, and there may be thousands. What its exchange was made of (the head,
 * the arena, the clocks) serves other requests meanwhile; kept are the two connections and, in one
 * small piece of memory, what the access log and /connections tell of it. Only where the policy has
 * a `log` hook, which is to see the exchange again, does that sleep until the tunnel is over.
 *
 * Either way the exchange counts as under way for so long, and its generation is held.
 */
#ifndef INTERIM_PROXY_PASSAGE_H
#define INTERIM_PROXY_PASSAGE_H

#include "net/tunnel.h"
#include "proxy/exchange.h"

/* Behind the first three only what the access log wants, in its form; else empty. */
enum passage_text {
    PASSAGE_ID,
    PASSAGE_METHOD,
    PASSAGE_PATH, /* as much as /connections shows */
    PASSAGE_TARGET,
    PASSAGE_HOST,
    PASSAGE_TRACEPARENT,
    PASSAGE_PROTOCOL, /* switched to */
    PASSAGE_CODES,    /* of interim responses: as many int */
    PASSAGE_TEXTS
};

struct passage {
    struct tunnel tunnel;
    struct doom doom;
    struct client *client;
    struct uplink *uplink;
    struct generation *generation;
    struct exchange *exchange; /* sleeps until the log hook is asked; NULL: it is over */
    const char *address;       /* of the origin; the generation's */
    const char *expect;        /* these as in policy_result */
    double connect;
    double first_byte;
    double began; /* end of the request head */
    int upstream; /* index in settings */
    uint32_t interim_count;
    unsigned minor;
    bool reused;
    uint32_t ends[PASSAGE_TEXTS]; /* where each text ends in `texts`; behind it stands a NUL */
    char texts[];
};

/* Of an exchange whose 101 is in and fits. NULL: no memory. To be opened, or freed. */
struct passage *passage_new(struct exchange *x, struct slice protocol);
void passage_free(struct passage *p);

/* The 101 has gone to the client; `early` is what that had sent behind its head. From here on the
 * exchange is the passage's: its events are over. */
void passage_open(struct passage *p, struct slice early);

/* Closes both sides; or resets them, as the worker ends. */
void passage_close(struct passage *p, const char *why);
void passage_abort(struct passage *p);

/* One of its texts, which lives as long as it does. */
struct slice passage_text(const struct passage *p, enum passage_text which);

#endif
