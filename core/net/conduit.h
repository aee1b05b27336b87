/*
 * conduit: many bytes from one connection to another, of which a few are to be read and replaced,
 * such as what frames the data of large chunks. All are drawn into a pipe at once; data moves on
 * from there to a second pipe without being copied, the few are read out of the first and others
 * written into the second, which is then sent.
 *
 * The few are copied before they are looked at, and only what was written here takes their place.
 * So it does not matter that a peer on the same machine may share the pages behind a pipe and
 * change them afterwards: that reaches its own data, never what says where data ends.
 */
#ifndef INTERIM_NET_CONDUIT_H
#define INTERIM_NET_CONDUIT_H

#include "net/conn.h"

struct conduit {
    struct conn *to;
    struct net_pipe *in;  /* drawn, and not yet taken */
    struct net_pipe *out; /* NULL: it was full and is sent; what comes after is put on `to` */
    bool lost;            /* bytes that were drawn could not be had any more */
};

/*
 * Draws up to `most` bytes. False: not possible here and now, or output waits on `to`; read them
 * instead. After IO_OK in *io conduit_close must follow, before the loop goes on; any other is what
 * a read would have said.
 */
bool conduit_open(struct conduit *d, struct conn *from, struct conn *to, size_t most, enum io *io);

size_t conduit_left(const struct conduit *d); /* bytes drawn and not yet taken */

/* Takes up to `most` of them, into the worker's read buffer: until the next read of anything. Empty
 * only if none are left. */
struct slice conduit_read(struct conduit *d, size_t most);

/* Takes `n` of them and sends them on; sends others. In the order of the calls. */
void conduit_pass(struct conduit *d, size_t n);
void conduit_put(struct conduit *d, struct slice bytes);

/* Sends what is on its way. What follows is copied, which is cheaper for many small pieces. */
void conduit_send(struct conduit *d);

/* Sends all that is on its way. What was not taken is dropped. False, with errno: bytes were lost,
 * what was sent is not whole. */
bool conduit_close(struct conduit *d);

#endif
