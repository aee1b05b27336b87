/*
 * relay: bytes of one connection, unchanged, to another. One direction of a tunnel.
 */
#ifndef INTERIM_NET_RELAY_H
#define INTERIM_NET_RELAY_H

#include "net/conn.h"

enum relay_event {
    RELAY_MOVED,   /* bytes were passed on */
    RELAY_BLOCKED, /* the receiver has not taken what it has; nothing was read */
    RELAY_NOTHING, /* nothing to read */
    RELAY_ENDED,   /* the sender ended; handed on as soon as everything was taken */
    RELAY_BROKEN   /* the sender was reset */
};

struct relay {
    struct conn *from;
    struct conn *to;
    uint64_t bytes;
    bool ended;     /* the sender ended its side */
    bool handed_on; /* and the receiver was told */
};

void relay_init(struct relay *r, struct conn *from, struct conn *to);

/* Passes on bytes that were read before the relay began. */
void relay_early(struct relay *r, struct slice bytes);

/* One turn: reads once if the receiver has taken everything. Reading of `from` is switched off
 * while it is blocked and after its end; relay_drained switches it on again. */
enum relay_event relay_turn(struct relay *r);

/* The receiver has taken everything: hands on an end, or reads on. */
void relay_drained(struct relay *r);

#endif
