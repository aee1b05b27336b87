/*
 * conn: a socket, its watcher and its waiting output.
 *
 * Promises that `drained` follows every time output had to wait, that `failed` comes once and from
 * the loop, and that no callback comes after conn_close. What reads from it next is the owner:
 * proxy/client, proxy/origin, net/tunnel or net/pool.
 */
#include "net/conn.h"

#include "base/sys.h"
#include "net/acked.h"
#include "net/pipe.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#define CONN_MAGIC 0xc0441u
#define COPY_MOST  2048

bool conn_has_waiting(const struct conn *c)
{
    return c->pipe != NULL || buf_len(&c->out) > 0;
}

static void update_interest(struct conn *c)
{
    int want = 0;

    if (c->fd < 0)
        return;
    if (c->reading && !c->connecting)
        want |= EV_READ;
    if (c->connecting || conn_has_waiting(c))
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

static void drop_output(struct conn *c)
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
    drop_output(c);
    update_interest(c);
}

/* The kernel tells of a reset once: who writes may hear of it, and a read finds an end. EPIPE comes
 * behind a true end, and want of memory says nothing of the peer. */
static void fail_sending(struct conn *c)
{
    if (errno != EPIPE && errno != ENOBUFS && errno != ENOMEM)
        c->reset = true;
    fail_writing(c);
}

static enum io judge_end(const struct conn *c, enum io io)
{
    if (io != IO_EOF || !c->reset)
        return io;
    errno = ECONNRESET;
    return IO_ERR;
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

/* Sends what was passed. True when none of it is left. */
static bool send_piped(struct conn *c)
{
    struct net_pipe *p = c->pipe;
    ssize_t sent = sys_splice(p->fd[0], c->fd, p->held);

    if (sent < 0 && errno != EAGAIN) {
        fail_sending(c);
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

/* Sends waiting output. True when none is left. */
static bool send_waiting(struct conn *c)
{
    if (c->pipe != NULL && !send_piped(c))
        return false;
    if (buf_len(&c->out) == 0)
        return true;
    struct slice waiting = buf_slice(&c->out);
    struct iovec iov = {(void *)(uintptr_t)waiting.at, waiting.len};
    size_t sent;
    enum io io = c->transport->write(c, &iov, 1, &sent);

    if (io == IO_ERR) {
        fail_sending(c);
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

static void on_connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    c->connecting = false;
    update_interest(c);
    c->events->connected(c, error);
}

static void on_event(struct ev_loop *loop, ev_io *w, int events)
{
    struct conn *c = w->data;
    (void)loop;
    assert(c->magic == CONN_MAGIC);

    if (c->fd < 0)
        return;
    if (c->connecting) {
        if (events & EV_WRITE)
            on_connected(c);
        return;
    }
    if ((events & EV_WRITE) && conn_has_waiting(c) && send_waiting(c)) {
        update_interest(c);
        c->events->drained(c);
    }
    if (c->fd >= 0 && c->write_failed && !c->told) {
        c->told = true;
        c->events->failed(c);
    }
    if (c->fd >= 0 && (events & EV_READ) && c->reading)
        c->events->readable(c);
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
    update_interest(c);
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
    drop_output(c);
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
    update_interest(c);
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

double conn_last_taken(struct conn *c)
{
    uint32_t acked = conn_has_waiting(c) ? (uint32_t)acked_by_peer(c->fd) : c->acked;

    if (acked != c->acked) {
        c->acked = acked;
        c->last_taken = c->net->now;
    }
    return c->last_taken;
}

bool conn_is_silent(struct conn *c)
{
    size_t got;
    char byte;
    return c->emptied || c->transport->read(c, &byte, 1, &got) == IO_AGAIN;
}

enum io conn_read(struct conn *c, struct slice *bytes)
{
    size_t most = net_read_size(c->net);
    size_t got;
    enum io io;

    net_flush(c->net);
    io = c->transport->read(c, c->net->read_buffer, most, &got);
    c->emptied = got < most;
    *bytes = slice_of(c->net->read_buffer, got);
    return judge_end(c, io);
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
    return judge_end(c, io);
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
        send_piped(to);
        update_interest(to);
        return true;
    }
    *passed = (struct conn_passed){judge_end(from, how_it_ended(got)), 0};
    pipe_give(net, p);
    return got == 0 || errno != EINVAL;
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
        fail_sending(c);
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
        update_interest(c);
}
