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
    void (*readable)(struct conn *c);             /* conn_read will give bytes or an end */
    void (*drained)(struct conn *c);              /* output had been waiting and is all sent;
                                                     or a turn was wanted */
    void (*failed)(struct conn *c);               /* a write failed; reading may still give bytes */
    void (*connected)(struct conn *c, int error); /* a connect ended; 0: well */
};

struct conn {
    unsigned magic;
    bool reading : 1; /* the owner wants `readable` */
    bool connecting : 1;
    bool write_failed : 1; /* output goes nowhere from now on */
    bool told : 1;         /* of that */
    bool reset : 1;        /* a write was told so: the end that a read finds then is none */
    bool emptied : 1;      /* the last read was given less than it had room for: all there was */
    bool plenty : 1;       /* what it, or conn_pass, found last was much: more is likely to come */
    bool wants_turn : 1;   /* see conn_want_turn */
    int fd;                /* -1: closed */
    uint32_t
        acked; /* the low bits of what the peer had, when output began to wait or was looked at */
    struct net *net;
    const struct transport *transport;
    const struct conn_events *events;
    void *owner;
    struct buf out; /* what the peer has not taken; empty and without memory most of the time */
    struct net_pipe *pipe; /* what it has not taken of what was passed, before `out`; mostly NULL */
    ev_io io;
    double last_taken; /* when the peer last took bytes; see conn_last_taken */
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

/* Whether nothing has come that was not read, not even an end. Takes a byte if something has: such
 * a connection is of no use any more. The kernel is not asked behind a read that found less than it
 * had room for: of an end that came right behind that, the loop will tell. */
bool conn_is_silent(struct conn *c);

/* Likewise; the kernel is asked. */
bool conn_is_silent_now(struct conn *c);

/* Whether bytes have come that were not read, whatever the loop has told. In doubt they have. */
bool conn_has_unread(struct conn *c);

/* Whether the kernel has given it up, as after a reset, which nobody hears of who neither reads nor
 * writes. A unix socket never is. To be looked at so often, in seconds. */
bool conn_is_gone(const struct conn *c);
#define CONN_GONE_LOOK 3.0

/* Likewise, whether the peer sends no more: its end may stand behind bytes that were not read. */
bool conn_has_ended(const struct conn *c);

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

/* When the peer last took bytes, as far as is known. While output waits for it, this looks at what
 * the kernel holds: what moves there between two looks counts as taken at the second. */
double conn_last_taken(struct conn *c);

/* True if output waits for the peer. What was gathered is not counted. */
bool conn_has_waiting(const struct conn *c);

/* True while the peer has not taken everything: do not read more for it. Sends first. */
bool conn_is_blocked(struct conn *c);

/* `drained` comes once more, from a later turn of the loop, as soon as the peer takes bytes. */
void conn_want_turn(struct conn *c);

/* What conn_pass did. */
struct conn_passed {
    enum io io;   /* IO_OK, or what a read of the sender would have said */
    size_t bytes; /* taken from the sender */
};

/*
 * Passes up to `most` bytes of one connection to another without looking at them. The receiver must
 * not be blocked; it may be afterwards. False: not possible here and now; read them instead.
 */
bool conn_pass(struct conn *from, struct conn *to, size_t most, struct conn_passed *passed);

#endif
