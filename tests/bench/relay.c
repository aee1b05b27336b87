/*
 * The floor: a relay of TCP connections that knows nothing of HTTP. What a proxy costs beyond it is
 * what it does beside moving bytes. Each readiness of a side is one read of it and one write to the
 * other; a side that does not take all stops the reading of the other until it does. With --splice
 * the bytes stay in the kernel, in a pipe for each direction.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)
#define PIPE_SIZE (1 << 20)
#define EVENTS    256

static const char usage[] =
    "bench_relay - passes TCP connections on to another address, as cheaply as epoll can\n"
    "\n"
    "Usage:\n"
    "  bench_relay TO [--splice]\n"
    "\n"
    "  TO         address of the origin, as 127.0.0.1:9000\n"
    "  --splice   by splice(2) instead of read(2) and write(2)\n"
    "\n"
    "Listens on a free port of 127.0.0.1 and prints it. Runs until it is killed.\n";

/* One of the two ends of a connection. What was read of it and not yet written is `held`. */
struct side {
    int fd;
    uint32_t interest;
    bool ended;
    size_t held, at;
    char *bytes; /* held in memory */
    int pipe[2]; /* or in here; -1 until it is needed */
    struct side *other;
    struct pair *pair;
};

struct pair {
    struct side sides[2];
    struct pair *next; /* of those to be freed */
};

#ifndef __clang__
/* The kernel keeps the pairs, in epoll, where the analyser of gcc does not see them. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static int loop, listener;
static bool splicing;
static struct sockaddr_in to;
static struct pair *dead;
static char buffer[READ_SIZE];

static void watch(struct side *s, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = s};
    if (s->interest != interest && epoll_ctl(loop, EPOLL_CTL_MOD, s->fd, &event) != 0)
        fail("epoll: %s", strerror(errno));
    s->interest = interest;
}

/* Each side is read while nothing of it is held, and written to while something is for it. */
static void settle(struct side *s)
{
    watch(s, (s->held == 0 && !s->ended ? EPOLLIN : 0) | (s->other->held > 0 ? EPOLLOUT : 0));
}

static void end(struct pair *p)
{
    if (p->sides[0].fd < 0)
        return;
    for (int i = 0; i < 2; i++) {
        struct side *s = &p->sides[i];
        close(s->fd);
        s->fd = -1;
        free(s->bytes);
        if (s->pipe[0] >= 0) {
            close(s->pipe[0]);
            close(s->pipe[1]);
        }
    }
    p->next = dead;
    dead = p;
}

static void side_ended(struct side *s)
{
    s->ended = true;
    if (s->other->ended)
        end(s->pair);
    else
        shutdown(s->other->fd, SHUT_WR);
}

static bool again(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What is held goes to the other side, as far as it takes it. */
static bool flush_held(struct side *s)
{
    ssize_t n = splicing ? splice(s->pipe[0], NULL, s->other->fd, NULL, s->held, SPLICE_F_NONBLOCK)
                         : write(s->other->fd, s->bytes + s->at, s->held);
    if (n <= 0 && !again(n))
        return false;
    if (n > 0) {
        s->held -= (size_t)n;
        s->at += (size_t)n;
    }
    return true;
}

static ssize_t pass_by_copy(struct side *s)
{
    ssize_t got = read(s->fd, buffer, sizeof buffer), put;
    if (got <= 0)
        return got;
    put = write(s->other->fd, buffer, (size_t)got);
    if (put < 0 && !again(put))
        return 0;
    if (put < got) {
        put = put < 0 ? 0 : put;
        if (s->bytes == NULL)
            s->bytes = malloc(READ_SIZE);
        if (s->bytes == NULL)
            fail("no memory");
        s->at = 0;
        s->held = (size_t)(got - put);
        memcpy(s->bytes, buffer + put, s->held);
    }
    return got;
}

static ssize_t pass_by_splice(struct side *s)
{
    if (s->pipe[0] < 0) {
        if (pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
            fail("pipe: %s", strerror(errno));
        fcntl(s->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
    }
    ssize_t got = splice(s->fd, NULL, s->pipe[1], NULL, PIPE_SIZE, SPLICE_F_NONBLOCK);
    if (got <= 0)
        return got;
    s->held = (size_t)got;
    return flush_held(s) ? got : 0;
}

static void ready(struct side *s, uint32_t events)
{
    if (s->fd < 0)
        return;
    if (events & EPOLLOUT && s->other->held > 0 && !flush_held(s->other))
        return end(s->pair);
    if (s->held == 0 && !s->ended && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t n = splicing ? pass_by_splice(s) : pass_by_copy(s);
        if (n < 0 && !again(n))
            return end(s->pair);
        if (n == 0)
            side_ended(s);
        if (s->fd < 0)
            return;
    } else if (events & EPOLLERR) {
        return end(s->pair);
    }
    settle(s);
    settle(s->other);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct pair *p = calloc(1, sizeof *p);
        int on = 1;
        if (p == NULL)
            fail("no memory");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        int fds[2] = {fd, wire_connect(&to, 0)};
        for (int i = 0; i < 2; i++) {
            struct side *s = &p->sides[i];
            *s = (struct side){.fd = fds[i],
                               .interest = EPOLLIN,
                               .pipe = {-1, -1},
                               .other = &p->sides[!i],
                               .pair = p};
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
            epoll_ctl(loop, EPOLL_CTL_ADD, s->fd, &event);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = wire_address("127.0.0.1:0");
    if (argc < 2 || argv[1][0] == '-') {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    to = wire_address(argv[1]);
    splicing = argc > 2 && strcmp(argv[2], "--splice") == 0;
    signal(SIGPIPE, SIG_IGN);
    wire_raise_limits();
    listener = wire_listen(&at);
    loop = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(loop, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all();
            else
                ready(events[i].data.ptr, events[i].events);
        }
        while (dead != NULL) {
            struct pair *next = dead->next;
            free(dead);
            dead = next;
        }
    }
}
