/*
 * conn_pass: bytes of one connection to another without looking at them: into a pipe, and out of
 * it. Promises that what is in the pipe leaves before what is put behind it.
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

bool conn_draw(struct conn *from, struct conn *to, size_t most, struct net_pipe **drawn,
               enum io *io)
{
    struct net_pipe *p;
    ssize_t got;

    *drawn = NULL;
    if (conn_is_blocked(to) || to->fd < 0 || to->write_failed)
        return false;
    p = pipe_take(from->net);
    if (p == NULL)
        return false;
    from->emptied = false;
    got = sys_splice(from->fd, p->fd[1], most);
    if (got > 0) {
        p->held = (size_t)got;
        conn_note_found(from, p->held);
        *drawn = p;
        *io = IO_OK;
        return true;
    }
    *io = conn_judge_end(from, how_it_ended(got));
    pipe_give(from->net, p);
    return got == 0 || errno != EINVAL;
}

void conn_put_pipe(struct conn *to, struct net_pipe *p)
{
    if (p->held == 0 || to->fd < 0 || to->write_failed) {
        pipe_give(to->net, p);
        return;
    }
    to->net->waiting += p->held;
    to->pipe = p;
    conn_send_piped(to);
    conn_update_interest(to);
}

bool conn_pass(struct conn *from, struct conn *to, size_t most, struct conn_passed *passed)
{
    struct net_pipe *p;

    if (!conn_draw(from, to, most, &p, &passed->io))
        return false;
    passed->bytes = p != NULL ? p->held : 0;
    if (p != NULL)
        conn_put_pipe(to, p);
    return true;
}
