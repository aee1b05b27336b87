/*
 * conn_out: the output of a connection: gathered, sent, and what waits for the peer.
 *
 * Promises that bytes leave in the order in which they were put, and that none leaves behind one
 * that was lost. Waiting output is sent by net/conn, when the loop says that the peer takes more.
 */
#include "net/conn_local.h"

#include "net/acked.h"
#include "net/pipe.h"

#include <errno.h>
#include <string.h>

#define COPY_MOST 2048

bool conn_has_waiting(const struct conn *c)
{
    return c->pipe != NULL || buf_len(&c->out) > 0;
}

void conn_drop_output(struct conn *c)
{
    c->net->waiting -= buf_len(&c->out);
    buf_free(&c->out);
    if (c->pipe != NULL) {
        c->net->waiting -= c->pipe->held;
        pipe_give(c->net, c->pipe);
        c->pipe = NULL;
    }
}

static void fail_writing(struct conn *c)
{
    if (c->write_failed)
        return;
    c->write_failed = true;
    conn_drop_output(c);
    conn_update_interest(c);
}

/* The kernel tells of a reset once: who writes may hear of it, and a read finds an end. EPIPE comes
 * behind a true end, and want of memory says nothing of the peer. */
void conn_fail_sending(struct conn *c)
{
    if (errno != EPIPE && errno != ENOBUFS && errno != ENOMEM)
        c->reset = true;
    fail_writing(c);
}

static void hold(struct conn *c, const char *at, size_t len)
{
    if (c->write_failed)
        return;
    if (buf_append(&c->out, at, len))
        c->net->waiting += len;
    else
        fail_writing(c);
}

/* Sends waiting output. True when none is left. */
bool conn_send_waiting(struct conn *c)
{
    if (c->pipe != NULL && !conn_send_piped(c))
        return false;
    if (buf_len(&c->out) == 0)
        return true;
    struct slice waiting = buf_slice(&c->out);
    struct iovec iov = {(void *)(uintptr_t)waiting.at, waiting.len};
    size_t sent;
    enum io io = c->transport->write(c, &iov, 1, &sent);

    if (io == IO_ERR) {
        conn_fail_sending(c);
        return false;
    }
    if (sent > 0) {
        buf_consume(&c->out, sent);
        c->net->waiting -= sent;
        c->last_taken = c->net->now;
    }
    buf_trim(&c->out);
    return buf_len(&c->out) == 0;
}

double conn_last_taken(struct conn *c)
{
    uint32_t acked = conn_awaits_peer(c) ? (uint32_t)acked_by_peer(c->fd) : c->acked;

    if (acked != c->acked) {
        c->acked = acked;
        c->last_taken = c->net->now;
    }
    return c->last_taken;
}

static bool may_put(struct conn *c, struct slice bytes)
{
    struct net *net = c->net;

    if (bytes.len == 0 || c->fd < 0 || c->write_failed)
        return false;
    if (net->gathering != c || net->piece_count == NET_PIECES)
        net_flush(net);
    /* What comes behind a hole must not be sent. */
    if (c->write_failed)
        return false;
    if (conn_has_waiting(c)) {
        hold(c, bytes.at, bytes.len);
        return false;
    }
    net->gathering = c;
    return true;
}

static void put_borrowed(struct conn *c, struct slice bytes)
{
    if (may_put(c, bytes))
        c->net->pieces[c->net->piece_count++] = (struct net_piece){bytes.at, 0, bytes.len};
}

void conn_put_copy(struct conn *c, struct slice bytes)
{
    struct net *net = c->net;
    struct net_piece *last;

    if (!may_put(c, bytes))
        return;
    if (bytes.len > NET_SCRATCH_SIZE - net->scratch_used) {
        /* Too much to keep aside: what came before goes first, then this directly. */
        put_borrowed(c, bytes);
        net_flush(net);
        return;
    }
    memcpy(net->scratch + net->scratch_used, bytes.at, bytes.len);
    last = net->piece_count > 0 ? &net->pieces[net->piece_count - 1] : NULL;
    if (last != NULL && last->at == NULL)
        last->len += bytes.len;
    else
        net->pieces[net->piece_count++] = (struct net_piece){NULL, net->scratch_used, bytes.len};
    net->scratch_used += bytes.len;
}

/* Few bytes behind copied ones are cheaper copied than sent as a piece of their own. */
void conn_put(struct conn *c, struct slice bytes)
{
    const struct net *net = c->net;

    if (bytes.len <= COPY_MOST && net->gathering == c && net->scratch_used > 0)
        conn_put_copy(c, bytes);
    else
        put_borrowed(c, bytes);
}

bool conn_is_blocked(struct conn *c)
{
    if (c->net->gathering == c)
        net_flush(c->net);
    return conn_has_waiting(c);
}

void conn_want_turn(struct conn *c)
{
    c->wants_turn = true;
    conn_update_interest(c);
}

void net_flush(struct net *net)
{
    struct conn *c = net->gathering;
    /* Only what is filled is used; clearing all of it would cost more than filling it. */
    __attribute__((uninitialized)) struct iovec iov[NET_PIECES];
    size_t sent;
    enum io io;

    if (c == NULL)
        return;
    for (size_t i = 0; i < net->piece_count; i++) {
        const struct net_piece *p = &net->pieces[i];
        const char *at = p->at != NULL ? p->at : net->scratch + p->offset;
        iov[i] = (struct iovec){(void *)(uintptr_t)at, p->len};
    }
    io = c->transport->write(c, iov, (int)net->piece_count, &sent);
    if (io == IO_ERR)
        conn_fail_sending(c);
    else if (sent > 0)
        c->last_taken = net->now;
    for (size_t i = 0; i < net->piece_count && !c->write_failed; i++) {
        size_t gone = sent < iov[i].iov_len ? sent : iov[i].iov_len;
        sent -= gone;
        if (gone < iov[i].iov_len)
            hold(c, (const char *)iov[i].iov_base + gone, iov[i].iov_len - gone);
    }
    net->gathering = NULL;
    net->piece_count = 0;
    net->scratch_used = 0;
    /* Nothing waited when it was gathered. */
    if (conn_has_waiting(c) || c->write_failed)
        conn_update_interest(c);
}
