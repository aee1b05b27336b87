/*
 * admin_listing: what is open, of all workers: /connections. It is the one page for which workers
 * are asked: the parent passes the question on, each writes its rows into memory that it shares
 * (proxy/listing), and what has come within a second is shown.
 */
#ifndef INTERIM_PROCESS_ADMIN_LISTING_H
#define INTERIM_PROCESS_ADMIN_LISTING_H

#include "base/buf.h"
#include "net/deadline.h"
#include "process/board.h"

/* Between the beginnings of two: whoever asks without end must not keep workers from their work. */
#define ADMIN_LISTING_PAUSE 0.1

/* A worker that has not written by then is left out. */
#define ADMIN_LISTING_PATIENCE 1.0

struct admin_listing {
    const struct board *board;
    const struct crew_slot *slots;
    struct net *net;
    int control;
    uint32_t serial;
    unsigned asked, listed; /* workers; `asked` is known when the parent has answered */
    bool known;
    bool wanted; /* somebody waits */
    bool under_way;
    double begun;          /* the latest; monotonic */
    struct deadline clock; /* until the next may begin, or the one under way has to end */
    void (*over)(struct admin_listing *l); /* what there is can be written */
};

void admin_listing_init(struct admin_listing *l, struct net *net);

/* `over` comes from the loop; several may wait for it. */
void admin_listing_want(struct admin_listing *l);

/* What the parent says. */
void admin_listing_hear(struct admin_listing *l, const struct control_message *message);

/* As JSON; `out` has room for OVERVIEW_TEXT_MAX. */
void admin_listing_write(struct buf *out, const struct admin_listing *l);

#endif
