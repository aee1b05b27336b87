/*
 * The origin of the benchmark: one thread that answers as fast as it can, so that the proxy between
 * it and the load is what is measured. The path says what to do:
 *
 *   /small/ID            200 with the small body of that ID; with Expect: first 100, then the body
 *   /early/ID            103 at once, and the 200 once the load says, on /acks, that the 103 is
 * there /download/SIZE       a body of known length; /chunked/SIZE: in chunks /upload reads and
 * compares the body, answers with its length /echo                WebSocket: sends back what comes
 *   /bulk                WebSocket: sends or reads a mass of bytes, as told by an order (wire.h)
 *   /head                answers with the head as it came
 *   /acks                switches to a stream of the IDs whose 103 has arrived
 *
 * Early hints are confirmed so that no proxy ever finds the 103 and the 200 in one read, whatever
 * its speed: each is a delivery of its own for everybody.
 */
#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS    256
#define MOST_HELD ((size_t)16 << 10) /* of a head that is not whole */
#define WAITING   65536

static const char usage[] = "bench_origin - answers what bench_load asks\n"
                            "\n"
                            "Usage:\n"
                            "  bench_origin [PORT]\n"
                            "\n"
                            "Listens on that port of 127.0.0.1, or on a free one, and prints it. "
                            "Runs until it is killed.\n";

enum state { HEAD, SMALL_BODY, UPLOAD, DOWNLOAD, EARLY, ECHO, ORDER, POUR, DRAIN, ACKS };

struct conn {
    int fd;
    enum state state;
    bool closing; /* after this answer */
    char id[ID_SIZE];
    struct body_in in;
    struct body_out out;
    char *held; /* the beginning of a head or an order, with its length */
    size_t held_size;
};

static int loop, listener;
static struct conn *waiting[WAITING]; /* for an acknowledgement, by their IDs' first half */
static char buffer[MOST_HELD + PIECE];

static struct conn **slot_of(const char *id)
{
    char half[ID_SIZE / 2 + 1] = "";
    memcpy(half, id, ID_SIZE / 2);
    return &waiting[strtoul(half, NULL, 16) % WAITING];
}

static void end(struct conn *c)
{
    if (c->state == EARLY)
        *slot_of(c->id) = NULL;
    close(c->fd);
    free(c->held);
    free(c);
}

static void answer_body(struct conn *c, const char *body, size_t n)
{
    char message[512];
    int size =
        snprintf(message, sizeof message,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n", n,
                 c->closing ? "Connection: close\r\n" : "");
    memcpy(message + size, body, n);
    wire_send(c->fd, message, (size_t)size + n);
    c->state = HEAD;
}

static void answer_small(struct conn *c)
{
    char body[SMALL_SIZE];
    small_body(body, c->id);
    answer_body(c, body, sizeof body);
}

static void answer_large(struct conn *c, int64_t size, bool chunked)
{
    char head[256], length[64] = "Transfer-Encoding: chunked";
    body_out_begin(&c->out, size, chunked);
    if (!chunked)
        snprintf(length, sizeof length, "Content-Length: %lld", (long long)size);
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%s\r\n\r\n",
                     length);
    wire_send(c->fd, head, (size_t)n);
    c->state = body_out_write(&c->out, c->fd) ? HEAD : DOWNLOAD;
}

static void switch_to(struct conn *c, enum state state, const char *head, size_t n)
{
    static const char switching[] =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Accept: " WS_ACCEPT "\r\n\r\n";
    if (!head_says(head, n, "Upgrade", "websocket") ||
        !head_says(head, n, "Sec-WebSocket-Key", WS_KEY))
        fail("an upgrade that does not say so");
    wire_send(c->fd, switching, sizeof switching - 1);
    c->state = state;
}

static void begin_body(struct conn *c, const char *head, size_t n)
{
    const char *length = head_field(head, n, "Content-Length");
    bool chunked = head_says(head, n, "Transfer-Encoding", "chunked");
    if (length == NULL && !chunked)
        fail("a request without the body that belongs to it");
    body_in_begin(&c->in, length != NULL ? strtoll(length, NULL, 10) : 0, chunked);
    if (head_says(head, n, "Expect", "100-continue"))
        wire_send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static bool is_path(const char *target, const char *path, const char **rest)
{
    size_t n = strlen(path);
    *rest = target + n;
    return strncmp(target, path, n) == 0;
}

static void request(struct conn *c, const char *head, size_t n)
{
    static const char hints[] = "HTTP/1.1 103 Early Hints\r\n"
                                "Link: </style.css>; rel=preload; as=style\r\n\r\n";
    const char *target = memchr(head, ' ', n), *rest;
    if (target++ == NULL)
        fail("no request: %.*s", (int)n, head);
    c->closing = head_says(head, n, "Connection", "close");
    if (is_path(target, "/small/", &rest)) {
        memcpy(c->id, rest, ID_SIZE);
        if (head[0] == 'G')
            return answer_small(c);
        begin_body(c, head, n);
        c->state = SMALL_BODY;
    } else if (is_path(target, "/early/", &rest)) {
        memcpy(c->id, rest, ID_SIZE);
        *slot_of(c->id) = c;
        c->state = EARLY;
        wire_send(c->fd, hints, sizeof hints - 1);
    } else if (is_path(target, "/download/", &rest)) {
        answer_large(c, strtoll(rest, NULL, 10), false);
    } else if (is_path(target, "/chunked/", &rest)) {
        answer_large(c, strtoll(rest, NULL, 10), true);
    } else if (is_path(target, "/upload", &rest)) {
        begin_body(c, head, n);
        c->state = UPLOAD;
    } else if (is_path(target, "/head", &rest)) {
        answer_body(c, head, n < 256 ? n : 256);
    } else if (is_path(target, "/echo", &rest)) {
        switch_to(c, ECHO, head, n);
    } else if (is_path(target, "/bulk", &rest)) {
        switch_to(c, ORDER, head, n);
    } else if (is_path(target, "/acks", &rest)) {
        switch_to(c, ACKS, head, n);
    } else {
        fail("an unknown request: %.*s", (int)n, head);
    }
}

static size_t take_body(struct conn *c, const char *bytes, size_t n)
{
    size_t taken = body_in_take(&c->in, bytes, n);
    if (c->in.state != BODY_OVER)
        return taken;
    if (c->state == UPLOAD) {
        char length[32];
        int size = snprintf(length, sizeof length, "%lld\n", (long long)c->in.seen);
        answer_body(c, length, (size_t)size);
    } else if (c->state == SMALL_BODY) {
        answer_small(c);
    } else {
        wire_send(c->fd, "received", 8);
        c->state = ORDER;
    }
    return taken;
}

static size_t take_order(struct conn *c, const char *bytes, size_t n)
{
    char size[ORDER_SIZE] = "";
    if (n < ORDER_SIZE)
        return 0;
    memcpy(size, bytes + 1, ORDER_SIZE - 1);
    body_in_begin(&c->in, strtoll(size, NULL, 16), false);
    body_out_begin(&c->out, strtoll(size, NULL, 16), false);
    c->state = bytes[0] == 'U' ? DRAIN : body_out_write(&c->out, c->fd) ? ORDER : POUR;
    return ORDER_SIZE;
}

static size_t take_acks(const char *bytes, size_t n)
{
    size_t at = 0;
    for (; n - at >= ID_SIZE; at += ID_SIZE) {
        struct conn **slot = slot_of(bytes + at), *c = *slot;
        if (c == NULL || memcmp(c->id, bytes + at, ID_SIZE) != 0)
            fail("an acknowledgement for no request: %.8s", bytes + at);
        *slot = NULL;
        answer_small(c);
    }
    return at;
}

/* How much was understood; 0 if more is needed first. */
static size_t take(struct conn *c, const char *bytes, size_t n)
{
    size_t head;
    switch (c->state) {
    case HEAD:
        head = head_length(bytes, n);
        if (head > 0)
            request(c, bytes, head);
        return head;
    case SMALL_BODY:
    case UPLOAD:
    case DRAIN:
        return take_body(c, bytes, n);
    case ECHO:
        wire_send(c->fd, bytes, n);
        return n;
    case ORDER:
        return take_order(c, bytes, n);
    case ACKS:
        return take_acks(bytes, n);
    case DOWNLOAD:
    case POUR:
    case EARLY:
        break;
    }
    fail("%zu bytes while an answer is under way", n);
}

/* False when the connection is over. Edge-triggered: what comes after a short read is another
 * event, unless the end is here already. */
static bool receive(struct conn *c, bool to_the_end)
{
    for (;;) {
        size_t have = c->held_size, at = 0, taken;
        if (have > 0)
            memcpy(buffer, c->held, have);
        ssize_t got = read(c->fd, buffer + have, PIECE);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            return false;
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
        if (c->closing && c->state == HEAD)
            return false;
        if ((size_t)got < PIECE && !to_the_end)
            return true;
    }
}

static void ready(struct conn *c, uint32_t events)
{
    if (c->state == DOWNLOAD || c->state == POUR) {
        if (body_out_write(&c->out, c->fd))
            c->state = c->state == DOWNLOAD ? HEAD : ORDER;
    }
    uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if (events & (EPOLLIN | ends) && !receive(c, events & ends))
        end(c);
}

static void accept_all(void)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = c};
        if (c == NULL)
            fail("no memory");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = wire_address("127.0.0.1:0");
    if (argc > 1 && argv[1][0] == '-') {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1)
        at.sin_port = htons((uint16_t)atoi(argv[1]));
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
    }
}
