/*
 * The load of the benchmark: one thread, a number of connections, each with one unit of work under
 * way at a time (a closed loop). Every answer is compared with what it must be; the first that is
 * not ends the program. The conversation with whoever started it, with --wait:
 *
 *   all connections are open and have done a unit, and the warm-up is over      it prints "ready"
 *   a line comes in                                                       the measured part begins
 *   it is over, all connections are still open                     it prints what was done, as JSON
 *   standard input ends                                                                   it exits
 */
#include "work.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS     256
#define OPENING    64 /* connections at once on their way to being open */
#define MOST_HELD  ((size_t)16 << 10)
#define PER_SOURCE 8000 /* connections from one address: there are 28,000 ports */

enum state { CONNECTING, SWITCHING, INTERIM, ANSWER, BODY, ECHOED, RECEIVED, CLOSING, RESTING };

struct conn {
    int fd;
    unsigned number, done;
    enum state state;
    bool writing; /* a body, until it is out */
    char id[ID_SIZE + 1];
    struct body_in in;
    struct body_out out;
    char *held;
    size_t held_size;
};

static int loop, acks;
static struct conn *conns;
static long opened, resting; /* connections */
static long begun, finished; /* units of this phase */
static int64_t moved;        /* bytes of bodies in them */
static long most;            /* units to begin in this phase; -1: */
static double until;         /* as long as this */
static char buffer[MOST_HELD + PIECE];
static char arrived[EVENTS * ID_SIZE]; /* the IDs whose 103 is here */
static size_t arrived_size;

static void open_conn(struct conn *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int source =
        load.work->kind == NEWCONN ? 1 + (int)(c->number % 60) : 1 + (int)(c->number / PER_SOURCE);
    c->fd = wire_connect(&load.to, source);
    c->state = CONNECTING;
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
}

static void write_body(struct conn *c)
{
    c->writing = !body_out_write(&c->out, c->fd);
}

/* What the answer to a request begins with. */
static enum state first_state(enum kind kind)
{
    if (kind >= ECHOES)
        return SWITCHING;
    return kind == EARLY || kind == EXPECT ? INTERIM : ANSWER;
}

static void send_request(struct conn *c)
{
    if (load.id != NULL) {
        snprintf(c->id, sizeof c->id, "%04x%04x", c->number & 0xffff, c->done & 0xffff);
        memcpy(load.id, c->id, ID_SIZE);
    }
    wire_send(c->fd, load.request, load.request_size);
    c->state = first_state(load.work->kind);
    if (load.work->kind == UPLOAD) {
        body_out_begin(&c->out, load.size, load.work->chunked);
        write_body(c);
    }
}

/* A unit of work on a connection that is open, and switched if it is to be a tunnel. */
static void begin_unit(struct conn *c)
{
    char text[ECHO_SIZE + 1];
    switch (load.work->kind) {
    case ECHOES:
        snprintf(text, sizeof text, "%-63u\n", c->done);
        wire_send(c->fd, text, ECHO_SIZE);
        c->state = ECHOED;
        break;
    case POUR:
    case DRAIN:
        snprintf(text, sizeof text, "%c%015llx", load.work->kind == POUR ? 'D' : 'U',
                 (unsigned long long)load.size);
        wire_send(c->fd, text, ORDER_SIZE);
        body_in_begin(&c->in, load.size, false);
        body_out_begin(&c->out, load.size, false);
        c->state = load.work->kind == POUR ? BODY : RECEIVED;
        if (load.work->kind == DRAIN)
            write_body(c);
        break;
    default:
        send_request(c);
    }
}

static bool goes_on(void)
{
    return most >= 0 ? begun < most : wire_now() < until;
}

static void next_unit(struct conn *c)
{
    if (!goes_on()) {
        c->state = RESTING;
        resting++;
        return;
    }
    begun++;
    if (load.work->kind == NEWCONN)
        open_conn(c);
    else
        begin_unit(c);
}

static void unit_over(struct conn *c, int64_t bytes)
{
    c->done++;
    finished++;
    moved += bytes;
    next_unit(c);
}

static int status_of(const char *head, size_t n)
{
    if (n < 16 || memcmp(head, "HTTP/1.1 ", 9) != 0)
        fail("no response: %.*s", (int)(n < 80 ? n : 80), head);
    return atoi(head + 9);
}

static size_t take_switch(struct conn *c, const char *bytes, size_t n)
{
    size_t head = head_length(bytes, n);
    if (head == 0)
        return 0;
    if (status_of(bytes, head) != 101 || !head_says(bytes, head, "Sec-WebSocket-Accept", WS_ACCEPT))
        fail("not switched: %.*s", (int)head, bytes);
    begin_unit(c);
    return head;
}

static size_t take_interim(struct conn *c, const char *bytes, size_t n)
{
    int expected = load.work->kind == EARLY ? 103 : 100;
    size_t head = head_length(bytes, n);
    if (head == 0)
        return 0;
    if (status_of(bytes, head) != expected)
        fail("not the %d: %.*s", expected, (int)head, bytes);
    c->state = ANSWER;
    if (expected == 100) {
        body_out_begin(&c->out, SMALL_SIZE, false);
        write_body(c);
    } else if (!head_says(bytes, head, "Link", "</style.css>")) {
        fail("hints without a Link: %.*s", (int)head, bytes);
    } else {
        memcpy(arrived + arrived_size, c->id, ID_SIZE);
        arrived_size += ID_SIZE;
    }
    return head;
}

/* The whole of a small answer, or the head of a large one. */
static size_t take_answer(struct conn *c, const char *bytes, size_t n)
{
    size_t head = head_length(bytes, n), size;
    char expected[SMALL_SIZE];
    if (head == 0)
        return 0;
    if (status_of(bytes, head) != 200 || c->writing)
        fail("not the answer: %.*s", (int)head, bytes);
    const char *length = head_field(bytes, head, "Content-Length");
    if (load.work->kind == DOWNLOAD) {
        bool chunked = head_says(bytes, head, "Transfer-Encoding", "chunked");
        if (chunked != load.work->chunked || chunked == (length != NULL))
            fail("framed in another way: %.*s", (int)head, bytes);
        body_in_begin(&c->in, length != NULL ? strtoll(length, NULL, 10) : 0, chunked);
        c->state = BODY;
        return head;
    }
    if (length == NULL)
        fail("no length: %.*s", (int)head, bytes);
    size = strtoul(length, NULL, 10);
    if (n < head + size)
        return 0;
    if (load.work->kind == UPLOAD) {
        if (strtoll(bytes + head, NULL, 10) != load.size)
            fail("of %lld bytes there arrived %.*s", (long long)load.size, (int)size, bytes + head);
        unit_over(c, load.size);
        return head + size;
    }
    small_body(expected, c->id);
    if (size != SMALL_SIZE || memcmp(bytes + head, expected, SMALL_SIZE) != 0)
        fail("another answer than that to %s: %.*s", c->id, (int)size, bytes + head);
    if (load.work->kind == NEWCONN)
        c->state = CLOSING;
    else
        unit_over(c, 0);
    return head + size;
}

static size_t take_body(struct conn *c, const char *bytes, size_t n)
{
    size_t taken = body_in_take(&c->in, bytes, n);
    if (c->in.state == BODY_OVER) {
        if (c->in.seen != load.size)
            fail("of %lld bytes there arrived %lld", (long long)load.size, (long long)c->in.seen);
        unit_over(c, load.size);
    }
    return taken;
}

static size_t take_exactly(struct conn *c, const char *expected, const char *bytes, size_t n,
                           int64_t moves)
{
    size_t size = strlen(expected);
    if (n < size)
        return 0;
    if (memcmp(bytes, expected, size) != 0 || c->writing)
        fail("other bytes through the tunnel");
    unit_over(c, moves);
    return size;
}

/* How much was understood; 0 if more is needed first. */
static size_t take(struct conn *c, const char *bytes, size_t n)
{
    char text[ECHO_SIZE + 1];
    switch (c->state) {
    case SWITCHING:
        return take_switch(c, bytes, n);
    case INTERIM:
        return take_interim(c, bytes, n);
    case ANSWER:
        return take_answer(c, bytes, n);
    case BODY:
        return take_body(c, bytes, n);
    case ECHOED:
        snprintf(text, sizeof text, "%-63u\n", c->done);
        return take_exactly(c, text, bytes, n, 0);
    case RECEIVED:
        return take_exactly(c, "received", bytes, n, load.size);
    case CONNECTING:
    case CLOSING:
    case RESTING:
        break;
    }
    fail("%zu bytes that nobody asked for: %.*s", n, (int)(n < 80 ? n : 80), bytes);
}

static void ended(struct conn *c, const char *how)
{
    if (c->state != CLOSING)
        fail("a connection ended while its state was %d: %s", (int)c->state, how);
    close(c->fd);
    unit_over(c, 0);
}

/* Edge-triggered: what comes after a short read is another event, unless the end is here already.
 */
static void receive(struct conn *c, bool to_the_end)
{
    for (;;) {
        size_t have = c->held_size, at = 0, taken;
        if (have > 0)
            memcpy(buffer, c->held, have);
        ssize_t got = read(c->fd, buffer + have, PIECE);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            return ended(c, got < 0 ? strerror(errno) : "closed");
        have += (size_t)got;
        while (at < have && (taken = take(c, buffer + at, have - at)) > 0)
            at += taken;
        if (have - at > MOST_HELD)
            fail("a head without an end");
        if (have > at && c->held == NULL)
            c->held = malloc(MOST_HELD);
        if (have > at)
            memcpy(c->held, buffer + at, have - at);
        c->held_size = have - at;
        if ((size_t)got < PIECE && !to_the_end)
            return;
    }
}

static void connected(struct conn *c)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        fail("cannot connect: %s", strerror(error));
    send_request(c);
}

static void ready(struct conn *c, uint32_t events)
{
    uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if (c->state == CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR))
            connected(c);
    } else if (c->writing && events & EPOLLOUT) {
        write_body(c);
    }
    if (events & (EPOLLIN | ends))
        receive(c, events & ends);
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop, events, EVENTS, 20000);
    if (count == 0)
        fail("nothing happens any more");
    for (int i = 0; i < count; i++)
        ready(events[i].data.ptr, events[i].events);
    if (arrived_size > 0)
        wire_send(acks, arrived, arrived_size);
    arrived_size = 0;
}

/* All connections work, until the count is begun or the time is over; then they rest. */
static void work(long count, double seconds)
{
    begun = finished = moved = resting = 0;
    most = count;
    until = wire_now() + seconds;
    for (long i = 0; i < load.connections; i++)
        next_unit(&conns[i]);
    while (resting < load.connections)
        turn();
}

static void open_all(void)
{
    most = 0; /* after its first unit each rests */
    while (resting < load.connections) {
        for (; opened < load.connections && opened - resting < OPENING; opened++) {
            conns[opened].number = (unsigned)opened;
            open_conn(&conns[opened]);
        }
        turn();
    }
}

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, 5000) != 1)
        fail("the origin does not take acknowledgements");
}

static void open_acks(void)
{
    static const char text[] = "GET /acks HTTP/1.1\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Key: " WS_KEY "\r\n\r\n";
    acks = wire_connect(&load.acks, 0);
    await(acks, POLLOUT);
    wire_send(acks, text, sizeof text - 1);
    await(acks, POLLIN);
    if (read(acks, buffer, sizeof buffer) <= 0 || memcmp(buffer, "HTTP/1.1 101", 12) != 0)
        fail("the origin takes no acknowledgements");
}

static void await_line(void)
{
    char line[64];
    if (load.waits && fgets(line, sizeof line, stdin) == NULL)
        exit(0);
}

static void print_error(const char *message)
{
    printf("{\"error\": \"");
    for (; *message; message++)
        putchar(*message == '"' || *message == '\\' || (unsigned char)*message < ' ' ? ' '
                                                                                     : *message);
    printf("\"}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    load_options(argc, argv);
    wire_failing = print_error;
    signal(SIGPIPE, SIG_IGN);
    wire_raise_limits();
    loop = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)load.connections, sizeof *conns);
    if (conns == NULL)
        fail("no memory");
    if (load.work->kind == EARLY)
        open_acks();
    open_all();
    if (load.warm > 0)
        work(-1, load.warm);
    if (load.waits) {
        printf("ready\n");
        fflush(stdout);
    }
    await_line();
    double began = wire_now();
    work(load.count, load.seconds);
    printf("{\"work\": \"%s\", \"count\": %ld, \"bytes\": %lld, \"seconds\": %.6f}\n",
           load.work->name, finished, (long long)moved, wire_now() - began);
    fflush(stdout);
    await_line();
    return 0;
}
