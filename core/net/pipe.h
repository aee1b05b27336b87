/*
 * pipe: where bytes rest in the kernel on their way from one socket to another (splice(2)), instead
 * of being copied out of it and in again. One is borrowed for a turn; only a receiver that does not
 * take all of it keeps it, until it has.
 */
#ifndef INTERIM_NET_PIPE_H
#define INTERIM_NET_PIPE_H

#include "net/net.h"

struct net_pipe {
    struct list node; /* in net.spare_pipes while nobody has it */
    int fd[2];        /* 0: to read from, 1: to write to */
    size_t held;      /* bytes in it */
};

/* An empty one, or NULL: net.pipes_max are in use, or none can be had. */
struct net_pipe *pipe_take(struct net *net);

/* Back. One is kept; more, and one with bytes left in it that nobody wants any more, are closed. */
void pipe_give(struct net *net, struct net_pipe *p);

/* Makes the one that is kept, so that it is there when it is wanted; and closes it. */
void pipe_keep_spare(struct net *net);
void pipe_close_spare(struct net *net);

#endif
