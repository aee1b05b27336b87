/*
 * listener: a listening socket under the loop. The socket belongs to the parent process; several
 * workers accept from it.
 */
#ifndef INTERIM_NET_LISTENER_H
#define INTERIM_NET_LISTENER_H

#include "net/addr.h"
#include "net/deadline.h"

struct listener {
    struct list node; /* the owner's */
    struct net *net;
    int fd;
    ev_io io;
    struct deadline pause;
    /* Whether one more can be taken now. */
    bool (*room)(struct listener *l);
    /* A new connection: takes over `fd`. */
    void (*accepted)(struct listener *l, int fd, const struct addr *peer);
    /* One waits, and there is no room (error 0), no descriptor or no memory: accepting rests for a
     * moment, or until listener_resume. */
    void (*paused)(struct listener *l, int error);
    void *owner;
};

/* Starts accepting. Does not take over `fd`. */
void listener_open(struct listener *l, struct net *net, int fd);

/* There is room again. */
void listener_resume(struct listener *l);

/* Accepts what is queued, room or not, then no more. The memory may go at once. */
void listener_drain(struct listener *l);

/* Stops at once. */
void listener_stop(struct listener *l);

#endif
