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

/* Bytes out of it, into it, and from one to another. How many went: fewer than asked for only if it
 * holds fewer, if it is full, or if the kernel had no memory for them. */
size_t pipe_read(struct net_pipe *p, void *bytes, size_t n);
size_t pipe_write(struct net_pipe *p, struct slice bytes);
size_t pipe_move(struct net_pipe *from, struct net_pipe *to, size_t n);

/* Back. Two are kept; more, and one with bytes left in it that nobody wants any more, are closed.
 */
void pipe_give(struct net *net, struct net_pipe *p);

/* Makes the two, so that they are there when they are wanted; and closes them. */
void pipe_keep_spares(struct net *net);
void pipe_close_spares(struct net *net);

#endif
