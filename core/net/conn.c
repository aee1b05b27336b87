/*
 * conn: a socket and its watcher: opening, events, reading, closing.
 *
 * Promises that `drained` follows every time output had to wait, that `failed` comes once and from
 * the loop, and that no callback comes after conn_close. What reads from it next is the owner:
 * proxy/client, proxy/origin, net/tunnel or net/pool.
 */
#include "net/conn_local.h"

#include "base/sys.h"
#include "net/acked.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#define CONN_MAGIC 0xc0441u

void conn_update_interest(struct conn *c)
{
    int want = 0;

    if (c->fd < 0)
        return;
    if (c->reading && !c->connecting)
        want |= EV_READ;
    if (c->connecting || conn_awaits_peer(c))
        want |= EV_WRITE;
    if ((want & EV_WRITE) && !c->connecting && !(c->io.events & EV_WRITE))
        c->acked = (uint32_t)acked_by_peer(c->fd);
    if (want != (c->io.events & (EV_READ | EV_WRITE)) || (want != 0) != ev_is_active(&c->io)) {
        ev_io_stop(c->net->loop, &c->io);
        ev_io_set(&c->io, c->fd, want);
        if (want != 0)
            ev_io_start(c->net->loop, &c->io);
    }
    /* Stopping a watcher forgets what is pending on it: the news of a failed write is renewed. */
    if (c->write_failed && !c->told)
        ev_feed_event(c->net->loop, &c->io, EV_CUSTOM);
}

enum io conn_judge_end(const struct conn *c, enum io io)
{
    if (io != IO_EOF || !c->reset)
        return io;
    errno = ECONNRESET;
    return IO_ERR;
}

static void on_connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    c->connecting = false;
    conn_update_interest(c);
    c->events->connected(c, error);
}

/* Interest follows the owner, who may want another turn: the kernel is not asked in between. */
static void on_writable(struct conn *c)
{
    if (!conn_awaits_peer(c) || !conn_send_waiting(c))
        return;
    c->wants_turn = false;
    c->events->drained(c);
    conn_update_interest(c);
}

static void take_event(struct conn *c, int events)
{
    if (c->fd < 0)
        return;
    if (c->connecting) {
        if (events & EV_WRITE)
            on_connected(c);
        return;
    }
    if (events & EV_WRITE)
        on_writable(c);
    if (c->fd >= 0 && c->write_failed && !c->told) {
        c->told = true;
        c->events->failed(c);
    }
    if (c->fd >= 0 && (events & EV_READ) && c->reading)
        c->events->readable(c);
}

static void on_event(struct ev_loop *loop, ev_io *w, int events)
{
    struct conn *c = w->data;
    struct net *net = c->net;
    (void)loop;
    assert(c->magic == CONN_MAGIC);

    take_event(c, events);
    if (net->beat != NULL)
        net->beat();
}

void conn_open(struct conn *c, struct net *net, int fd, const struct conn_events *events,
               void *owner)
{
    memset(c, 0, sizeof *c);
    c->magic = CONN_MAGIC;
    c->fd = fd;
    c->net = net;
    c->transport = &transport_plain;
    c->events = events;
    c->owner = owner;
    buf_init(&c->out, CONN_OUT_MAX);
    ev_io_init(&c->io, on_event, fd, 0);
    c->io.data = c;
}

bool conn_connect(struct conn *c, struct net *net, const struct addr *to,
                  const struct conn_events *events, void *owner)
{
    int family = to->to.any.sa_family;
    int fd = sys_socket(family, SOCK_STREAM);
    int on = 1;

    if (fd < 0)
        return false;
    if (family != AF_UNIX && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        sys_close(fd);
        return false;
    }
    /* A unix socket whose queue is full says EAGAIN and never becomes writable: an error. */
    if (sys_connect(fd, &to->to.any, to->len) != 0 && errno != EINPROGRESS) {
        int error = errno;
        sys_close(fd);
        errno = error;
        return false;
    }
    conn_open(c, net, fd, events, owner);
    c->connecting = true;
    conn_update_interest(c);
    return true;
}

void conn_local(const struct conn *c, struct addr *local)
{
    *local = (struct addr){.len = sizeof local->to};
    if (getsockname(c->fd, &local->to.any, &local->len) == 0)
        return;
    *local = (struct addr){.len = sizeof local->to.ip4};
    local->to.ip4.sin_family = AF_INET;
}

void conn_own(struct conn *c, const struct conn_events *events, void *owner)
{
    c->events = events;
    c->owner = owner;
}

void conn_close(struct conn *c)
{
    if (c->fd < 0)
        return;
    if (c->net->gathering == c)
        net_flush(c->net);
    ev_io_stop(c->net->loop, &c->io);
    sys_close(c->fd);
    c->fd = -1;
    conn_drop_output(c);
}

void conn_reset(struct conn *c)
{
    struct linger now = {1, 0};

    if (c->fd < 0)
        return;
    if (c->net->gathering == c)
        net_flush(c->net);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_close(c);
}

void conn_end(struct conn *c)
{
    if (c->fd < 0)
        return;
    if (c->net->gathering == c)
        net_flush(c->net);
    sys_shutdown_write(c->fd);
}

/* Every request says so several times: what was so already changes nothing. */
static void set_reading(struct conn *c, bool reading)
{
    if (c->reading == reading)
        return;
    c->reading = reading;
    conn_update_interest(c);
}

void conn_read_on(struct conn *c)
{
    set_reading(c, true);
}

void conn_read_off(struct conn *c)
{
    c->emptied = false;
    set_reading(c, false);
}

bool conn_has_news(const struct conn *c)
{
    return ev_is_pending(&c->io);
}

bool conn_is_silent_now(struct conn *c)
{
    size_t got;
    char byte;
    return c->transport->read(c, &byte, 1, &got) == IO_AGAIN;
}

bool conn_is_silent(struct conn *c)
{
    return c->emptied || conn_is_silent_now(c);
}

bool conn_has_unread(struct conn *c)
{
    ssize_t got = sys_peek(c->fd);

    if (got >= 0 || errno == EAGAIN)
        return got > 0;
    /* The kernel tells of a reset once. */
    c->reset = c->reset || errno != ENOMEM;
    return true;
}

static bool is_in_state(const struct conn *c, unsigned state)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == state;
}

bool conn_is_gone(const struct conn *c)
{
    return is_in_state(c, TCP_CLOSE);
}

bool conn_has_ended(const struct conn *c)
{
    return is_in_state(c, TCP_CLOSE_WAIT);
}

void conn_note_found(struct conn *c, size_t bytes)
{
    c->plenty = bytes >= c->net->pass_least / 8;
}

enum io conn_read(struct conn *c, struct slice *bytes)
{
    size_t most = net_read_size(c->net);
    size_t got;
    enum io io;

    net_flush(c->net);
    io = c->transport->read(c, c->net->read_buffer, most, &got);
    c->emptied = got < most;
    conn_note_found(c, got);
    *bytes = slice_of(c->net->read_buffer, got);
    return conn_judge_end(c, io);
}

enum io conn_read_into(struct conn *c, struct buf *into)
{
    size_t space = buf_space(into);
    size_t most = net_read_size(c->net);
    size_t want = space < most ? space : most;
    size_t got;
    char *room;
    enum io io;

    net_flush(c->net);
    if (want == 0)
        return IO_AGAIN;
    room = buf_room(into, want);
    if (room == NULL) {
        errno = ENOMEM;
        return IO_ERR;
    }
    io = c->transport->read(c, room, want, &got);
    c->emptied = got < want;
    buf_commit(into, got);
    return conn_judge_end(c, io);
}
