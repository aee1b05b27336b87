/*
 * conn_pass: bytes of one connection to another without looking at them: into a pipe, and out of it.
 * Promises that what is in the pipe leaves before what is put behind it.
 */
#include "net/conn_local.h"

#include "base/sys.h"
#include "net/pipe.h"

#include <errno.h>

/* Sends what was passed. True when none of it is left. */
bool conn_send_piped(struct conn *c)
{
    struct net_pipe *p = c->pipe;
    ssize_t sent = sys_splice(p->fd[0], c->fd, p->held);

    if (sent < 0 && errno != EAGAIN) {
        conn_fail_sending(c);
        return false;
    }
    if (sent > 0) {
        p->held -= (size_t)sent;
        c->net->waiting -= (size_t)sent;
        c->last_taken = c->net->now;
    }
    if (p->held > 0)
        return false;
    pipe_give(c->net, p);
    c->pipe = NULL;
    return true;
}

static enum io how_it_ended(ssize_t got)
{
    if (got == 0)
        return IO_EOF;
    return errno == EAGAIN ? IO_AGAIN : IO_ERR;
}

bool conn_pass(struct conn *from, struct conn *to, size_t most, struct conn_passed *passed)
{
    struct net *net = from->net;
    struct net_pipe *p;
    ssize_t got;

    if (conn_is_blocked(to) || to->fd < 0 || to->write_failed)
        return false;
    p = pipe_take(net);
    if (p == NULL)
        return false;
    from->emptied = false;
    got = sys_splice(from->fd, p->fd[1], most);
    if (got > 0) {
        p->held = (size_t)got;
        net->waiting += p->held;
        to->pipe = p;
        *passed = (struct conn_passed){IO_OK, p->held};
        conn_send_piped(to);
        conn_update_interest(to);
        return true;
    }
    *passed = (struct conn_passed){conn_judge_end(from, how_it_ended(got)), 0};
    pipe_give(net, p);
    return got == 0 || errno != EINVAL;
}
