/*
 * listener: accepts clients. It rests while its owner has no room for more, or the process no
 * descriptor left for one: with a level-triggered loop it would spin otherwise. A connection that
 * waits meanwhile stays in the kernel's queue, or is taken by another worker.
 *
 * Next on a request's way: proxy/client.
 */
#include "net/listener.h"

#include "base/sys.h"

#include <errno.h>
#include <netinet/tcp.h>

#define ACCEPTS_PER_TURN 16
#define PAUSE_SECONDS    0.1

/* Errors of the one connection that was being accepted: accept(2) says to go on with the next. */
static bool is_about_one(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
           error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP ||
           error == ENETUNREACH || error == EPERM;
}

static void update_interest(struct listener *l)
{
    if (deadline_is_set(&l->pause))
        ev_io_stop(l->net->loop, &l->io);
    else
        ev_io_start(l->net->loop, &l->io);
}

static void rest(struct listener *l, int error)
{
    deadline_set(&l->pause, PAUSE_SECONDS);
    update_interest(l);
    l->paused(l, error);
}

/* True if one was accepted or lost; false if there is none, or none can be had now. */
static bool accept_one(struct listener *l)
{
    struct addr peer;
    int fd;

    peer.len = sizeof peer.to;
    fd = sys_accept(l->fd, &peer.to.any, &peer.len);
    if (fd >= 0) {
        l->accepted(l, fd, &peer);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (is_about_one(errno))
        return true;
    rest(l, errno);
    return false;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
    struct listener *l = w->data;
    (void)loop;
    (void)events;

    if (!l->room(l)) {
        rest(l, 0);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && l->room(l); i++)
        if (!accept_one(l))
            return;
}

static void on_pause_over(struct deadline *d, void *owner)
{
    (void)d;
    update_interest(owner);
}

void listener_open(struct listener *l, struct net *net, int fd)
{
    int on = 1;

    l->net = net;
    l->fd = fd;
    /* Accepted sockets inherit it: interim responses are small writes that must not wait. On a unix
     * socket there is nothing to set. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    deadline_init(&l->pause, net, on_pause_over, l);
    ev_io_init(&l->io, on_readable, fd, EV_READ);
    l->io.data = l;
    update_interest(l);
}

void listener_resume(struct listener *l)
{
    deadline_clear(&l->pause);
    update_interest(l);
}

void listener_drain(struct listener *l)
{
    listener_stop(l);
    while (accept_one(l))
        continue;
    listener_stop(l);
}

void listener_stop(struct listener *l)
{
    ev_io_stop(l->net->loop, &l->io);
    deadline_stop(&l->pause);
}
