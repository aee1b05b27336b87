/*
 * conn: one socket under the loop, with the output its peer has not taken yet.
 *
 * Which events the kernel is asked for is derived in one function from three facts: the owner wants
 * to read, output is waiting, a connect is under way. Nobody else touches the watcher.
 *
 * The owner embeds a conn and keeps its memory until it was doomed and reaped: conn_close may be
 * called in any callback, after it no callback comes.
 */
#ifndef INTERIM_NET_CONN_H
#define INTERIM_NET_CONN_H

#include "base/buf.h"
#include "net/addr.h"
#include "net/net.h"
#include "net/transport.h"

/* Output held for a slow peer is bounded by the relays, which stop reading; this is the last wall,
 * room enough for an answer that a policy made. */
#define CONN_OUT_MAX (16u << 20)

struct conn_events {
    void (*readable)(struct conn *c); /* conn_read will give bytes or an end */
    void (*drained)(struct conn *c);  /* output had been waiting and is all sent */
    void (*failed)(struct conn *c);   /* a write failed: c->error; reading may still give bytes */
    void (*connected)(struct conn *c, int error); /* a connect ended; 0: well */
};

struct conn {
    unsigned magic;
    int fd; /* -1: closed */
    struct net *net;
    const struct transport *transport;
    const struct conn_events *events;
    void *owner;
    struct buf out; /* what the peer has not taken; empty and without memory most of the time */
    ev_io io;
    double last_write; /* when bytes last went out */
    int error;         /* errno of the write that failed */
    bool reading;      /* the owner wants `readable` */
    bool connecting;
    bool write_failed; /* output goes nowhere from now on */
    bool told;         /* of that */
};

/* Takes over `fd`. Reading is off until conn_read_on. */
void conn_open(struct conn *c, struct net *net, int fd, const struct conn_events *events,
               void *owner);

/* Starts connecting; `connected` comes from the loop. False with errno: it failed at once. */
bool conn_connect(struct conn *c, struct net *net, const struct addr *to,
                  const struct conn_events *events, void *owner);

/* Our own end of it; the unspecified IPv4 address if that cannot be told. */
void conn_local(const struct conn *c, struct addr *local);

/* Hands the connection to another owner. */
void conn_own(struct conn *c, const struct conn_events *events, void *owner);

/* Sends what was put, as far as the peer takes it now, and closes. Nothing to do when closed. */
void conn_close(struct conn *c);

/* Closes so that the peer sees a reset, not an end. */
void conn_reset(struct conn *c);

/* Sends what was put and ends our sending side. Output that is waiting must have drained. */
void conn_end(struct conn *c);

void conn_read_on(struct conn *c);
void conn_read_off(struct conn *c);

/* Whether the loop has found an event on it of which the owner was not told yet. */
bool conn_has_news(const struct conn *c);

/* Reads once into the worker's buffer; *bytes live until the next read of any connection. */
enum io conn_read(struct conn *c, struct slice *bytes);

/* Reads once to the end of `into`. IO_AGAIN also when it is full. */
enum io conn_read_into(struct conn *c, struct buf *into);

/*
 * Notes output, to be sent by the next net_flush. conn_put borrows: the bytes must stay until then
 * (the worker's read buffer does, literals do). conn_put_copy copies. Nothing happens on a
 * connection whose writing failed or that is closed. Running out of memory fails the writing.
 */
void conn_put(struct conn *c, struct slice bytes);
void conn_put_copy(struct conn *c, struct slice bytes);

/* True while the peer has not taken everything: do not read more for it. Sends first. */
bool conn_is_blocked(struct conn *c);

#endif
