/*
 * net: what all connections of one worker share.
 *
 * One read buffer, one list of output gathered for one connection, the clock, and the queue of
 * objects that wait to be freed. A connection therefore owns memory only while its peer is slow.
 *
 * Output is gathered, not written: conn_put notes what to send, and net_flush sends it with one
 * system call, at the latest before the next read (which reuses the buffer the output may point
 * into), before anything is freed, and before the loop sleeps. Head and first body bytes leave in
 * one write that way.
 */
#ifndef INTERIM_NET_NET_H
#define INTERIM_NET_NET_H

#include "base/buf.h"
#include "base/list.h"

#include <ev.h>

#define NET_READ_SIZE    65536 /* one read at most, and so one turn of a relay */
#define NET_READ_LEAST   2048  /* one read when too much output waits */
#define NET_PIECES       64    /* of gathered output */
#define NET_SCRATCH_SIZE 32768 /* copied output; more is written in several calls */

#define NET_PASS_LEAST 131072
#define NET_PIPES      16 /* at most, of a megabyte each where the system allows it */

struct conn;
struct net_pipe;

/* Something that is over, and is freed behind the event, at the latest before the loop sleeps:
 * nothing dies inside its own call. */
struct doom {
    struct doom *next;
    void (*reap)(struct doom *d);
};

/* A piece of gathered output: borrowed, or (at == NULL) copied to `offset` in the scratch. */
struct net_piece {
    const char *at;
    size_t offset;
    size_t len;
};

struct net {
    struct ev_loop *loop;
    double now;        /* monotonic seconds, read after every sleep */
    char *read_buffer; /* NET_READ_SIZE bytes */
    char *scratch;     /* NET_SCRATCH_SIZE bytes */
    size_t scratch_used;
    struct buf head;        /* where a head is written before it is put */
    size_t waiting;         /* bytes of output that wait for their peers, of all connections */
    size_t waiting_max;     /* towards which less and less is read at once; see net_read_size */
    struct conn *gathering; /* whose output is gathered; NULL: nobody's */
    struct net_piece pieces[NET_PIECES];
    size_t piece_count;
    struct doom *doomed;      /* the first in the queue; NULL: none */
    struct doom **doomed_end; /* where the next one goes */
    struct list pools;        /* of idle connections: net/pool */
    struct list spare_pipes;  /* net/pipe */
    size_t pipe_count;        /* those and the ones in use */
    size_t pipes_max;         /* 0: bytes are always copied */
    size_t pass_least;        /* of bytes known to come: fewer are cheaper copied */
    void (*beat)(void);       /* called behind each event: the loop goes on; NULL: nobody asks */
    ev_prepare prepare;
    ev_check check;
};

bool net_init(struct net *net, struct ev_loop *loop); /* false: no memory */
void net_free(struct net *net);                       /* reaps what is doomed */

/*
 * How much to read at once: NET_READ_SIZE until half of waiting_max waits, then less in proportion,
 * never under NET_READ_LEAST. A slow peer is sent no more than one read ahead, so all of them
 * together hold no more than about waiting_max, however many they are.
 */
size_t net_read_size(const struct net *net);

/* Sends what was gathered. A connection that fails is told from the loop, never from in here. */
void net_flush(struct net *net);

/* Queues `d` to be reaped once, behind the event that is handled now: however many come in one turn
 * of the loop, what they leave behind is that of one. A second call for the same does nothing. */
void net_doom(struct net *net, struct doom *d, void (*reap)(struct doom *d));

#endif
