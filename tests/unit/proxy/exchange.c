/*
 * A whole worker in one thread, with both ends of the wire scripted and a policy written in C: the
 * core needs no Lua.
 */
#include "base/arena.h"
#include "proxy/local.h"
#include "proxy/proxy.h"
#include "proxy/pulse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a policy in C ---- */

struct c_policy {
    struct policy policy;
    enum verdict_kind kind; /* what the request hook says */
    int status;
    bool later;
    struct policy_call *waiting;
    int asked, cancelled, forgotten, freed;
};

static bool c_policy_ask(struct policy *p, struct policy_call *call)
{
    struct c_policy *t = (struct c_policy *)p;

    t->asked++;
    call->verdict.kind = t->kind;
    call->verdict.status = t->status;
    t->waiting = t->later ? call : NULL;
    return !t->later;
}

static void c_policy_cancel(struct policy *p, struct policy_call *call)
{
    struct c_policy *t = (struct c_policy *)p;

    assert_ptr_equal(t->waiting, call);
    t->waiting = NULL;
    t->cancelled++;
}

static void c_policy_forget(struct policy *p, struct policy_view *view)
{
    (void)view;
    ((struct c_policy *)p)->forgotten++;
}

static void c_policy_free(struct policy *p)
{
    ((struct c_policy *)p)->freed++;
}

static const struct policy_ops c_policy_ops = {c_policy_ask, c_policy_cancel, c_policy_forget,
                                               c_policy_free};

/* ---- what is asked of the kernel ---- */

static struct calls {
    int client_reads, client_writes, origin_reads, origin_writes;
    int interest;    /* changes of what epoll watches */
    int allocations; /* from the heap */
    size_t bytes;    /* of these, but not of blocks that grow */
} calls;
static in_port_t client_port; /* of this end of a client's connection */

ssize_t __real_sys_recv(int fd, void *bytes, size_t n);
ssize_t __wrap_sys_recv(int fd, void *bytes, size_t n);
ssize_t __real_sys_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_sys_writev(int fd, const struct iovec *iov, int count);

void *__real_sys_malloc(size_t n);
void *__wrap_sys_malloc(size_t n);
void *__real_sys_calloc(size_t n, size_t size);
void *__wrap_sys_calloc(size_t n, size_t size);
void *__real_sys_realloc(void *p, size_t n);
void *__wrap_sys_realloc(void *p, size_t n);

static bool is_clients(int fd)
{
    struct sockaddr_in a = {.sin_port = 0};
    socklen_t len = sizeof a;

    getsockname(fd, (struct sockaddr *)&a, &len);
    return a.sin_port == client_port;
}

ssize_t __wrap_sys_recv(int fd, void *bytes, size_t n)
{
    ++*(is_clients(fd) ? &calls.client_reads : &calls.origin_reads);
    return __real_sys_recv(fd, bytes, n);
}

ssize_t __wrap_sys_writev(int fd, const struct iovec *iov, int count)
{
    ++*(is_clients(fd) ? &calls.client_writes : &calls.origin_writes);
    return __real_sys_writev(fd, iov, count);
}

void *__wrap_sys_malloc(size_t n)
{
    calls.allocations++;
    calls.bytes += n;
    return __real_sys_malloc(n);
}

void *__wrap_sys_calloc(size_t n, size_t size)
{
    calls.allocations++;
    calls.bytes += n * size;
    return __real_sys_calloc(n, size);
}

void *__wrap_sys_realloc(void *p, size_t n)
{
    calls.allocations++;
    return __real_sys_realloc(p, n);
}

/* In the place of libc's, for libev. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    calls.interest++;
    return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

/* ---- the stage ---- */

struct stage {
    struct ev_loop *loop;
    struct stats stats;
    struct settings settings;
    struct c_policy policy;
    struct proxy *proxy;
    int listener, origin_listener, client, origin, log;
    bool drained;
    int gone;
};

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void on_gone(void *arg)
{
    ++*(int *)arg;
}

static void on_drained(void *arg)
{
    *(bool *)arg = true;
}

static int connect_client(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = client_port};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int stage_setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    char text[64], why[128];
    unsigned port, origin_port;

    s->loop = ev_loop_new(EVFLAG_AUTO);
    s->listener = listen_somewhere(&port);
    client_port = htons((uint16_t)port);
    s->origin_listener = listen_somewhere(&origin_port);
    settings_default(&s->settings);
    snprintf(text, sizeof text, "127.0.0.1:%u", origin_port);
    s->settings.upstream = settings_add_upstream(&s->settings, SLICE("app"), why, sizeof why);
    assert_true(settings_add_address(&s->settings, slice_of_string(text), why, sizeof why));
    s->policy.policy.ops = &c_policy_ops;
    s->policy.policy.hooks = 1u << HOOK_REQUEST;
    s->log = open("/dev/null", O_WRONLY);
    s->proxy = proxy_new(s->loop, &s->stats, s->log, 1);
    assert_non_null(s->proxy);
    assert_true(proxy_use(s->proxy, &s->settings, &s->policy.policy, 1, on_gone, &s->gone));
    assert_true(proxy_listen(s->proxy, s->listener));
    s->client = connect_client();
    s->origin = -1;
    *state = s;
    return 0;
}

static void check_laws(const struct stats *s)
{
    assert_int_equal(s->requests,
                     s->answered_upstream + s->answered_here + s->aborted + s->cut + s->active);
    assert_int_equal(s->accepted, s->open + s->closed);
    assert_int_equal(s->disagreements, 0);
}

static int stage_teardown(void **state)
{
    struct stage *s = *state;

    if (s->proxy != NULL)
        proxy_free(s->proxy);
    check_laws(&s->stats);
    assert_int_equal(s->stats.open, 0);
    assert_int_equal(s->stats.active, 0);
    assert_int_equal(s->stats.upstream_open, 0);
    assert_int_equal(s->policy.freed, 1);
    assert_int_equal(s->gone, 1);
    close(s->listener);
    close(s->origin_listener);
    if (s->client >= 0)
        close(s->client);
    if (s->origin >= 0)
        close(s->origin);
    close(s->log);
    ev_loop_destroy(s->loop);
    free(s);
    return 0;
}

static void on_turn_over(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

/* One turn of the loop; it never sleeps for long. */
static void turn(struct stage *s)
{
    ev_timer limit;

    ev_timer_init(&limit, on_turn_over, 0.01, 0);
    ev_timer_start(s->loop, &limit);
    ev_run(s->loop, EVRUN_ONCE);
    ev_timer_stop(s->loop, &limit);
}

#define TURN_UNTIL(s, condition)                                                                   \
    for (int turns = 0; !(condition); turns++) {                                                   \
        assert_true(turns < 1000);                                                                 \
        turn(s);                                                                                   \
    }

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Whatever `fd` gives until `what` is in it. */
static void read_until(struct stage *s, int fd, const char *what, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (int turns = 0; strstr(text, what) == NULL; turns++) {
        ssize_t n = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT);
        assert_true(turns < 1000);
        if (n > 0)
            len += (size_t)n;
        text[len] = '\0';
        if (n < 0)
            turn(s);
    }
}

static void accept_origin(struct stage *s)
{
    for (int turns = 0; s->origin < 0; turns++) {
        assert_true(turns < 1000);
        s->origin = accept(s->origin_listener, NULL, NULL);
        if (s->origin < 0)
            turn(s);
    }
}

/* ---- the scenes ---- */

static void a_refusal_reaches_no_origin(void **state)
{
    struct stage *s = *state;
    char text[4096];

    s->policy.kind = VERDICT_ANSWER;
    s->policy.status = 403;
    send_text(s->client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_until(s, s->client, "\r\n\r\n", text, sizeof text);
    assert_non_null(strstr(text, "HTTP/1.1 403 Forbidden\r\n"));
    assert_int_equal(accept(s->origin_listener, NULL, NULL), -1);
    assert_int_equal(s->stats.answered_here, 1);
    assert_int_equal(s->policy.forgotten, 1);
}

static void a_hook_may_answer_later(void **state)
{
    struct stage *s = *state;
    char text[4096];

    s->policy.later = true;
    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(s, s->policy.waiting != NULL);
    assert_int_equal(accept(s->origin_listener, NULL, NULL), -1);
    s->policy.waiting->done(s->policy.waiting);
    accept_origin(s);
    read_until(s, s->origin, "\r\n\r\n", text, sizeof text);
    assert_memory_equal(text, "GET /x HTTP/1.1\r\nHost: a\r\n", 26);
    send_text(s->origin, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    read_until(s, s->client, "\r\n\r\n", text, sizeof text);
    assert_memory_equal(text, "HTTP/1.1 103 Early Hints\r\n", 26);
    send_text(s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    read_until(s, s->client, "\r\n\r\nhi", text, sizeof text);
    assert_int_equal(s->stats.answered_upstream, 1);
    assert_int_equal(s->stats.interims_103, 1);
}

static void a_client_that_leaves_ends_a_waiting_hook(void **state)
{
    struct stage *s = *state;
    struct linger now = {1, 0};

    s->policy.later = true;
    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(s, s->policy.waiting != NULL);
    setsockopt(s->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(s->client);
    s->client = -1;
    TURN_UNTIL(s, s->policy.cancelled == 1);
    TURN_UNTIL(s, s->stats.open == 0);
    assert_int_equal(s->stats.aborted, 1);
    assert_int_equal(s->policy.forgotten, 1);
}

static void an_old_generation_lives_until_its_last_exchange(void **state)
{
    struct stage *s = *state;
    char text[4096];

    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    accept_origin(s);
    read_until(s, s->origin, "\r\n\r\n", text, sizeof text);
    assert_true(proxy_use(s->proxy, &s->settings, NULL, 2, NULL, NULL));
    turn(s);
    assert_int_equal(s->policy.freed, 0);
    send_text(s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    read_until(s, s->client, "\r\n\r\nhi", text, sizeof text);
    TURN_UNTIL(s, s->policy.freed == 1);
    assert_int_equal(s->gone, 1);
}

static void a_drain_waits_for_the_exchange_under_way(void **state)
{
    struct stage *s = *state;
    char text[4096];

    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    accept_origin(s);
    proxy_drain(s->proxy, on_drained, &s->drained);
    turn(s);
    assert_false(s->drained);
    send_text(s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    read_until(s, s->client, "\r\n\r\nhi", text, sizeof text);
    assert_non_null(strstr(text, "Connection: close\r\n"));
    shutdown(s->client, SHUT_WR);
    TURN_UNTIL(s, s->drained);
    assert_int_equal(s->stats.open, 0);
}

static void freeing_a_worker_at_work_loses_nothing_of_the_count(void **state)
{
    struct stage *s = *state;

    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    accept_origin(s);
    proxy_free(s->proxy);
    s->proxy = NULL;
    assert_int_equal(s->stats.aborted, 1);
}

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/* The calls of one exchange whose origin says `first`, waits until the client has it, then `last`.
 */
static struct calls calls_of(struct stage *s, const char *first, const char *last)
{
    char text[4096];

    calls = (struct calls){0};
    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (s->origin < 0)
        accept_origin(s);
    read_until(s, s->origin, "\r\n\r\n", text, sizeof text);
    if (first[0] != '\0') {
        send_text(s->origin, first);
        read_until(s, s->client, "\r\n\r\n", text, sizeof text);
    }
    send_text(s->origin, last);
    read_until(s, s->client, "\r\n\r\nhi", text, sizeof text);
    return calls;
}

static void a_100_costs_a_read_and_a_write_and_nothing_of_the_other_direction(void **state)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct stage *s = *state;
    struct calls plain, own, shared;
    char both[256];

    assert_true(calls_of(s, "", ok).interest > 0); /* the connections are made */
    plain = calls_of(s, "", ok);
    assert_int_equal(plain.client_reads, 1);
    assert_int_equal(plain.client_writes, 1);
    assert_int_equal(plain.origin_reads, 1);
    assert_int_equal(plain.origin_writes, 1);
    assert_int_equal(plain.interest, 0);

    own = calls_of(s, interim, ok);
    assert_int_equal(own.origin_reads, 2);
    assert_int_equal(own.client_writes, 2);
    assert_int_equal(own.client_reads, 1);
    assert_int_equal(own.origin_writes, 1);
    assert_int_equal(own.interest, 0);

    snprintf(both, sizeof both, "%s%s", interim, ok);
    shared = calls_of(s, "", both);
    assert_memory_equal(&shared, &plain, sizeof plain);
    assert_int_equal(s->stats.interims_100, 2);
}

static void a_warm_worker_allocates_nothing_for_an_exchange(void **state)
{
    struct stage *s = *state;

    s->settings.access_log = LOG_FORM_NONE;
    calls_of(s, "", ok);
    assert_int_equal(calls_of(s, "", ok).allocations, 0);
    assert_int_equal(calls_of(s, "HTTP/1.1 103 Early Hints\r\n\r\n", ok).allocations, 0);
    assert_int_equal(s->stats.answered_upstream, 3);
}

/* ---- tunnels ---- */

/* A new client and a new connection of the origin, switched to another protocol. */
static void open_tunnel(struct stage *s)
{
    char text[4096];

    s->client = connect_client();
    s->origin = -1;
    send_text(s->client, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    accept_origin(s);
    read_until(s, s->origin, "\r\n\r\n", text, sizeof text);
    send_text(s->origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                         "Upgrade: websocket\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    read_until(s, s->client, "\r\n\r\n", text, sizeof text);
    assert_memory_equal(text, "HTTP/1.1 101 ", 13);
    turn(s); /* what is over is reaped */
}

/* Opens three, and ends them all; what the second one took of the heap. */
static struct calls calls_of_a_tunnel(struct stage *s)
{
    int first[3], last[3];
    struct calls taken = {0};

    close(s->client);
    for (int i = 0; i < 3; i++) {
        calls = (struct calls){0};
        open_tunnel(s);
        if (i == 1)
            taken = calls;
        first[i] = s->client;
        last[i] = s->origin;
    }
    assert_int_equal(s->stats.tunnels, 3);
    assert_int_equal(s->stats.active, 3);
    for (int i = 0; i < 3; i++) {
        close(first[i]);
        close(last[i]);
    }
    s->client = s->origin = -1;
    TURN_UNTIL(s, s->stats.open == 0);
    assert_int_equal(s->stats.tunnels, 0);
    assert_int_equal(s->stats.upgrades_websocket, 3);
    assert_int_equal(s->stats.answered_upstream, 3);
    return taken;
}

static void a_tunnel_keeps_no_exchange(void **state)
{
    struct stage *s = *state;
    struct calls taken;

    s->settings.access_log = LOG_FORM_NONE;
    taken = calls_of_a_tunnel(s);
    assert_int_equal(taken.allocations, 3); /* both connections, and what is left of the exchange */
    assert_true(taken.bytes < 1024);
    assert_int_equal(s->policy.asked, 3);
    assert_int_equal(s->policy.forgotten, 3);
}

static void a_tunnel_keeps_its_exchange_for_a_log_hook(void **state)
{
    struct stage *s = *state;

    s->policy.policy.hooks |= 1u << HOOK_LOG;
    assert_true(calls_of_a_tunnel(s).allocations > 3);
    assert_int_equal(s->policy.asked, 6);
    assert_int_equal(s->policy.forgotten, 3);
}

static void a_tunnel_holds_its_generation(void **state)
{
    struct stage *s = *state;

    close(s->client);
    open_tunnel(s);
    assert_true(proxy_use(s->proxy, &s->settings, NULL, 2, NULL, NULL));
    turn(s);
    assert_int_equal(s->policy.forgotten, 1);
    assert_int_equal(s->policy.freed, 0);
    close(s->client);
    close(s->origin);
    s->client = s->origin = -1;
    TURN_UNTIL(s, s->policy.freed == 1);
}

static void freeing_a_worker_ends_a_tunnel_as_if_the_client_had_left(void **state)
{
    struct stage *s = *state;

    close(s->client);
    open_tunnel(s);
    proxy_free(s->proxy);
    s->proxy = NULL;
    assert_int_equal(s->stats.aborted, 1);
    assert_int_equal(s->stats.tunnels, 0);
}

#define CHUNK_OF_64K 65536
#define BEHIND       262144
#define CLIENTS      20
#define LADEN        16 /* of them may hold so much */

static int connect_roomy_client(struct stage *s)
{
    int room = 1 << 20;
    int fd;

    assert_int_equal(setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    fd = connect_client();
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    return fd;
}

static void send_large_chunk(int fd)
{
    static char data[CHUNK_OF_64K];

    send_text(fd, "10000\r\n");
    assert_int_equal(send(fd, data, sizeof data, MSG_NOSIGNAL), sizeof data);
    send_text(fd, "\r\n");
}

/* The origin takes what comes, the worker has its turns. */
static void take_upload(struct stage *s, int origin)
{
    static char text[CHUNK_OF_64K];

    for (int i = 0; i < 8; i++) {
        turn(s);
        while (recv(origin, text, sizeof text, MSG_DONTWAIT) > 0)
            ;
    }
}

/* Data of large chunks is passed on unread, and what comes behind the last is drawn with it. */
static void few_clients_hold_much_from_behind_large_chunks(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Ballast: ";
    static char behind[BEHIND];
    struct stage *s = *state;
    int clients[CLIENTS], origins[CLIENTS];

    memset(behind, 'b', sizeof behind);
    for (size_t at = 0; at < sizeof behind; at += 4096) {
        memcpy(behind + at, get, strlen(get));
        memcpy(behind + at + 4096 - 4, "\r\n\r\n", 4);
    }
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_roomy_client(s);
        send_text(clients[i], "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        send_large_chunk(clients[i]);
        accept_origin(s);
        origins[i] = s->origin;
        s->origin = -1;
        take_upload(s, origins[i]);
        send_large_chunk(clients[i]);
        send_text(clients[i], "0\r\n\r\n");
        assert_int_equal(send(clients[i], behind, sizeof behind, MSG_DONTWAIT), sizeof behind);
        take_upload(s, origins[i]);
    }
    /* Fewer, if the kernel was slow to hand on what was sent. */
    assert_in_range(s->proxy->laden, 1, LADEN);
    s->policy.kind = VERDICT_ANSWER;
    s->policy.status = 204;
    for (int i = 0; i < CLIENTS; i++) {
        send_text(origins[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        take_upload(s, origins[i]);
        close(origins[i]);
    }
    TURN_UNTIL(s, s->proxy->laden == 0 && s->stats.active == 0);
    assert_int_equal(s->stats.answered_here, CLIENTS * BEHIND / 4096);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    TURN_UNTIL(s, s->stats.open == 1);
}

/* ---- turns of the loop ---- */

#define HEADS_IN_A_TURN 16
#define PIPELINED       100
#define CROWD           8

static void refuse_all(struct stage *s)
{
    s->settings.access_log = LOG_FORM_NONE;
    s->policy.kind = VERDICT_ANSWER;
    s->policy.status = 204;
}

/* In one piece. */
static void send_requests(int fd, int count)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    char text[PIPELINED * sizeof get] = "";

    for (int i = 0; i < count; i++)
        memcpy(text + (size_t)i * strlen(get), get, sizeof get);
    send_text(fd, text);
}

static void a_client_that_pipelines_has_a_few_answers_in_a_turn(void **state)
{
    struct stage *s = *state;

    refuse_all(s);
    TURN_UNTIL(s, s->stats.open == 1);
    calls = (struct calls){0};
    send_requests(s->client, PIPELINED);
    for (int before = 0; before < PIPELINED; before = s->policy.asked) {
        turn(s);
        assert_in_range(s->policy.asked - before, 1, HEADS_IN_A_TURN);
    }
    TURN_UNTIL(s, s->stats.active == 0);
    assert_int_equal(s->stats.answered_here, PIPELINED);
    assert_int_equal(calls.client_writes, (PIPELINED + HEADS_IN_A_TURN - 1) / HEADS_IN_A_TURN);
    assert_in_range(calls.interest, 0, 2); /* once for all of these turns, and back */
}

/* A last request without its end waits for it, and an end behind the last one is seen. */
static void what_follows_the_turns_of_a_client_is_read(void **state)
{
    struct stage *s = *state;

    refuse_all(s);
    TURN_UNTIL(s, s->stats.open == 1);
    send_requests(s->client, HEADS_IN_A_TURN);
    send_text(s->client, "GET / HTTP/1.1\r\n");
    TURN_UNTIL(s, s->stats.answered_here == HEADS_IN_A_TURN);
    turn(s);
    send_text(s->client, "Host: a\r\n\r\n");
    TURN_UNTIL(s, s->stats.answered_here == HEADS_IN_A_TURN + 1);
    send_requests(s->client, PIPELINED);
    shutdown(s->client, SHUT_WR);
    TURN_UNTIL(s, s->stats.open == 0);
    assert_int_equal(s->stats.answered_here, HEADS_IN_A_TURN + 1 + PIPELINED);
}

/* However many clients have their turn, what they leave behind is one client's, and each is seen to
 * be served. */
static void what_is_over_is_freed_between_two_clients(void **state)
{
    static struct pulse pulse;
    struct stage *s = *state;
    int clients[CROWD];
    uint32_t beat;

    refuse_all(s);
    for (int i = 0; i < CROWD; i++)
        clients[i] = connect_client();
    TURN_UNTIL(s, s->stats.open == CROWD + 1);
    for (int i = 0; i < CROWD; i++)
        send_requests(clients[i], HEADS_IN_A_TURN);
    pulse_start(&pulse, s->loop);
    beat = pulse.beat;
    calls = (struct calls){0};
    turn(s);
    assert_int_equal(s->stats.answered_here, CROWD * HEADS_IN_A_TURN);
    assert_in_range(pulse.beat - beat, 2 * CROWD, 3 * CROWD + 2);
    /* Each exchange is a block, and its arena one. */
    assert_in_range(calls.allocations, 1, 2 * HEADS_IN_A_TURN + 1);
    for (int i = 0; i < CROWD; i++)
        close(clients[i]);
    TURN_UNTIL(s, s->stats.open == 1);
}

int main(void)
{
#define SCENE(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        SCENE(a_refusal_reaches_no_origin),
        SCENE(a_hook_may_answer_later),
        SCENE(a_client_that_leaves_ends_a_waiting_hook),
        SCENE(a_100_costs_a_read_and_a_write_and_nothing_of_the_other_direction),
        SCENE(a_warm_worker_allocates_nothing_for_an_exchange),
        SCENE(an_old_generation_lives_until_its_last_exchange),
        SCENE(a_drain_waits_for_the_exchange_under_way),
        SCENE(freeing_a_worker_at_work_loses_nothing_of_the_count),
        SCENE(a_tunnel_keeps_no_exchange),
        SCENE(a_tunnel_keeps_its_exchange_for_a_log_hook),
        SCENE(a_tunnel_holds_its_generation),
        SCENE(freeing_a_worker_ends_a_tunnel_as_if_the_client_had_left),
        SCENE(few_clients_hold_much_from_behind_large_chunks),
        SCENE(a_client_that_pipelines_has_a_few_answers_in_a_turn),
        SCENE(what_follows_the_turns_of_a_client_is_read),
        SCENE(what_is_over_is_freed_between_two_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
