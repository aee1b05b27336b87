/*
 * end: a script's socket. It says what it can at once, and the rest when there is room. And where
 * such sockets come from.
 */
#include "end.h"

#include "faults.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HOSTS 0xfffff0u

static size_t moves;

/* The machine cannot play at all: not what is tested here. */
static void must(bool ok)
{
    if (!ok) {
        perror("no stage");
        abort();
    }
}

size_t end_moves(void)
{
    return moves;
}

void end_open(struct end *e, int fd, bool proxied)
{
    e->proxied = proxied;
    e->fd = fd;
    e->paused = e->switched = e->ends = false;
    e->parting = e->own = HERE;
    e->was_reset = false;
    e->heard.len = e->said.len = e->sent = e->answers = e->mark_count = e->known = 0;
    e->said_at.count = e->heard_at.count = 0;
    moves++;
}

void end_drop(struct end *e, bool reset)
{
    struct linger now = {1, 0};

    if (e->fd < 0)
        return;
    if (e->own == HERE)
        e->own = reset ? RESET : ENDED;
    e->said.len = e->sent;
    if (reset)
        setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(e->fd);
    e->fd = -1;
}

/* To be called before the bytes behind the first `from` are counted. */
static void note_when(struct moments *m, size_t from)
{
    double now = faults_now();

    if (m->count < MARKS_MAX && (m->count == 0 || m->of[m->count - 1].at < now))
        m->of[m->count++] = (struct moment){from, now};
}

double end_when(const struct moments *m, size_t byte)
{
    double at = (double)NAN;

    for (size_t i = 0; i < m->count && m->of[i].from <= byte; i++)
        at = m->of[i].at;
    return m->count < MARKS_MAX ? at : (double)NAN;
}

static void hear(struct end *e)
{
    ssize_t n;

    while (e->fd >= 0 && e->parting == HERE) {
        if (e->heard.len == TEXT_MAX)
            return; /* more than any scene is about */
        n = recv(e->fd, e->heard.bytes + e->heard.len, TEXT_MAX - e->heard.len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        moves++;
        if (n > 0) {
            note_when(&e->heard_at, e->heard.len);
            e->heard.len += (size_t)n;
            e->known = e->sent;
        } else {
            e->parting = n == 0 && !e->was_reset ? ENDED : RESET;
        }
    }
}

/* It cannot be said any more: it has ended its side, or was reset. The kernel tells of that once,
 * and reading would not show it. */
static void give_up(struct end *e, int error)
{
    e->said.len = e->sent;
    e->was_reset = e->was_reset || e->own == HERE || error != EPIPE;
}

/* To be called before what was just sent is counted. */
static void mark(struct end *e)
{
    const struct mark *last = e->mark_count > 0 ? &e->marks[e->mark_count - 1] : NULL;
    char target;
    size_t asked = e->paused ? SIZE_MAX : end_requests(e, &target);

    if (e->mark_count < MARKS_MAX &&
        (last == NULL || last->asked != asked || last->heard != e->heard.len))
        e->marks[e->mark_count++] = (struct mark){e->sent, asked, e->heard.len};
}

static const struct mark *mark_of(const struct end *e, size_t byte)
{
    const struct mark *last = NULL;

    if (e->mark_count == MARKS_MAX)
        return NULL;
    for (size_t i = 0; i < e->mark_count && e->marks[i].from <= byte; i++)
        last = &e->marks[i];
    return last;
}

size_t end_asked_at(const struct end *e, size_t byte)
{
    const struct mark *mark = mark_of(e, byte);
    return mark != NULL ? mark->asked : SIZE_MAX;
}

size_t end_heard_at(const struct end *e, size_t byte)
{
    const struct mark *mark = mark_of(e, byte);
    return mark != NULL && mark->asked != SIZE_MAX ? mark->heard : SIZE_MAX;
}

static void speak(struct end *e)
{
    ssize_t n;

    while (e->fd >= 0 && e->sent < e->said.len) {
        n = send(e->fd, e->said.bytes + e->sent, e->said.len - e->sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        moves++;
        if (n < 0) {
            give_up(e, errno);
            break;
        }
        mark(e);
        note_when(&e->said_at, e->sent);
        e->sent += (size_t)n;
    }
    if (e->fd < 0 || !e->ends)
        return;
    shutdown(e->fd, SHUT_WR);
    e->own = ENDED;
}

static void append(struct end *e, struct slice bytes)
{
    if (bytes.len > TEXT_MAX - e->said.len)
        abort(); /* BYTES_MAX is less */
    if (bytes.len > 0)
        memcpy(e->said.bytes + e->said.len, bytes.at, bytes.len);
    e->said.len += bytes.len;
}

void end_say(struct end *e, struct slice bytes)
{
    append(e, bytes);
    speak(e);
}

size_t end_requests(const struct end *e, char *target)
{
    static char room[TEXT_MAX];
    struct wire w = {slice_of(e->heard.bytes, e->heard.len), false, room, sizeof room};
    struct message m;
    size_t count = 0;

    *target = '?';
    if (e->proxied)
        w.in = wire_skip_proxy_header(w.in);
    while (wire_next(&w, false, &m)) {
        const char *slash = memchr(m.line.at, '/', m.line.len);
        if (count++ == e->answers && slash != NULL)
            *target = slash[1];
    }
    return count;
}

void end_answer(struct end *e, struct slice bytes)
{
    size_t from = e->said.len;
    char target;
    char *label;

    /* One that heard nothing says nothing: it could not know that it was to be asked. */
    if (end_requests(e, &target) == 0)
        return;
    append(e, bytes);
    label = memmem(e->said.bytes + from, e->said.len - from, "X-For: /?", 9);
    if (label != NULL) {
        label[8] = target;
        e->answers++;
    }
    e->switched = e->switched || slice_starts(bytes, SLICE("HTTP/1.1 101"));
    speak(e);
}

void end_finish(struct end *e)
{
    e->ends = true;
    speak(e);
}

struct pollfd end_wish(const struct end *e)
{
    short wanted = 0;

    if (!e->paused && e->parting == HERE)
        wanted |= POLLIN;
    if (e->sent < e->said.len)
        wanted |= POLLOUT;
    return (struct pollfd){wanted != 0 ? e->fd : -1, wanted, 0};
}

void end_turn(struct end *e)
{
    if (!e->paused)
        hear(e);
    speak(e);
}

static int listen_on(const struct sockaddr *a, socklen_t len, int backlog)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    must(bind(fd, a, len) == 0);
    must(backlog == 0 || listen(fd, backlog) == 0);
    return fd;
}

int end_listen(bool local, int backlog, const char *name, char *text, size_t size)
{
    static in_addr_t host;
    /* Of the 127.0.0.0/8 that all are this machine: the ports of one would run out. */
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host++ % HOSTS)};
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    socklen_t len = sizeof a;
    int fd;

    if (local) {
        snprintf(u.sun_path, sizeof u.sun_path, "/tmp/interim-fault.%d.%s", (int)getpid(), name);
        unlink(u.sun_path);
        snprintf(text, size, "unix:%s", u.sun_path);
        return listen_on((struct sockaddr *)&u, sizeof u, backlog);
    }
    fd = listen_on((struct sockaddr *)&a, len, backlog);
    must(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    snprintf(text, size, "%s:%u", inet_ntoa(a.sin_addr), ntohs(a.sin_port));
    return fd;
}
