/*
 * deadline: one point in time at which something has taken too long.
 *
 * Moving it later or taking it away costs two stores: the loop's timer is left where it is and
 * finds out when it fires. Re-arming per request would cost a heap operation each time.
 */
#ifndef INTERIM_NET_DEADLINE_H
#define INTERIM_NET_DEADLINE_H

#include "net/net.h"

struct deadline {
    ev_timer timer;
    struct net *net;
    double due;   /* monotonic; 0: off */
    double fires; /* when the timer will; meaningful while it is active */
    void (*passed)(struct deadline *d, void *owner); /* the owner is timer.data */
};

void deadline_init(struct deadline *d, struct net *net,
                   void (*passed)(struct deadline *d, void *owner), void *owner);

/* `seconds` from now; 0 takes it away. */
void deadline_set(struct deadline *d, double seconds);

/* For what shows only when one looks, and must be over `seconds` from now at the latest: after
 * these, or a sixteenth of `whole`, whichever is sooner. */
void deadline_set_look(struct deadline *d, double seconds, double whole);
void deadline_clear(struct deadline *d);
bool deadline_is_set(const struct deadline *d);

/* Before the memory goes. */
void deadline_stop(struct deadline *d);

#endif
