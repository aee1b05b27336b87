/*
 * conduit: owns two pipes while it is open; the second becomes the receiver's output. Promises that
 * what cannot go through a pipe is copied, so that the order stays. Used by
 * proxy/body_pass.
 */
#include "net/conduit.h"

#include "net/conn_local.h"
#include "net/pipe.h"

#include <errno.h>

bool conduit_open(struct conduit *d, struct conn *from, struct conn *to, size_t most, enum io *io)
{
    struct net *net = from->net;

    *d = (struct conduit){.to = to, .out = pipe_take(net)};
    if (d->out == NULL)
        return false;
    if (!conn_draw(from, to, most, &d->in, io)) {
        pipe_give(net, d->out);
        return false;
    }
    if (*io != IO_OK)
        pipe_give(net, d->out);
    return true;
}

size_t conduit_left(const struct conduit *d)
{
    return d->lost ? 0 : d->in->held;
}

void conduit_send(struct conduit *d)
{
    struct net_pipe *p = d->out;

    d->out = NULL;
    if (p != NULL)
        conn_put_pipe(d->to, p);
}

struct slice conduit_read(struct conduit *d, size_t most)
{
    struct net *net = d->to->net;
    size_t got = 0;

    net_flush(net);
    if (conduit_left(d) > 0) {
        got = pipe_read(d->in, net->read_buffer, most < NET_READ_SIZE ? most : NET_READ_SIZE);
        d->lost = got == 0;
    }
    return slice_of(net->read_buffer, got);
}

void conduit_put(struct conduit *d, struct slice bytes)
{
    size_t n = d->out != NULL ? pipe_write(d->out, bytes) : 0;

    if (n == bytes.len)
        return;
    conduit_send(d);
    conn_put_copy(d->to, slice_skip(bytes, n));
}

void conduit_pass(struct conduit *d, size_t n)
{
    struct slice bytes;

    if (d->out != NULL)
        n -= pipe_move(d->in, d->out, n);
    if (n > 0)
        conduit_send(d);
    while (n > 0 && !d->lost) {
        bytes = conduit_read(d, n);
        conn_put(d->to, bytes);
        n -= bytes.len;
    }
}

bool conduit_close(struct conduit *d)
{
    conduit_send(d);
    pipe_give(d->to->net, d->in);
    if (d->lost)
        errno = ENOMEM;
    return !d->lost;
}
