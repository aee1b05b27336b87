/*
 * Every fallible call fails once in every scene: the k-th, for k = 1 to the last. Whatever fails,
 * the worker must not crash, leak, hang, answer twice or lose count. Then every scene again with
 * reads and writes of one byte, and in a storm of EAGAIN: both ends must get the same bytes.
 *
 * A whole worker runs in this thread, with a policy in C, and both ends of the wire are scripts.
 */
#include "faults.h"

#include "base/log.h"
#include "http/chunk.h"
#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* 128 bytes, 80 in hex, none of which could be taken for an id. */
#define BODY                                                                                       \
    "ghijklmnopqrstuvghijklmnopqrstuvghijklmnopqrstuvghijklmnopqrstuv"                             \
    "ghijklmnopqrstuvghijklmnopqrstuvghijklmnopqrstuvghijklmnopqrstuv"

/* ---- a policy in C: waits once per request, then says what the scene wants ---- */

struct scene_policy {
    struct policy policy;
    enum verdict_kind kind;
    int status;
    struct policy_call *waiting;
};

static bool scene_ask(struct policy *p, struct policy_call *call)
{
    struct scene_policy *s = (struct scene_policy *)p;

    call->verdict.kind = s->kind;
    call->verdict.status = s->status;
    s->waiting = call;
    return false;
}

static void scene_cancel(struct policy *p, struct policy_call *call)
{
    (void)call;
    ((struct scene_policy *)p)->waiting = NULL;
}

static void scene_forget(struct policy *p, struct policy_view *view)
{
    (void)p;
    (void)view;
}

static void scene_free(struct policy *p)
{
    (void)p;
}

static const struct policy_ops scene_ops = {scene_ask, scene_cancel, scene_forget, scene_free};

/* ---- scenes ---- */

enum act {
    CLIENT_SENDS,
    ORIGIN_SENDS,
    CLIENT_ENDS,
    ORIGIN_ENDS,
    CLIENT_RESETS,
    ORIGIN_RESETS,
    HOOK_ANSWERS,
    NEW_CLIENT
};

struct step {
    enum act act;
    const char *text;
};

#define STEPS_MAX 14
struct scene {
    const char *name;
    unsigned hooks;
    enum verdict_kind kind;
    int status;
    struct step steps[STEPS_MAX];
};

#define GET     "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define EXPECTS "PUT /u HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 128\r\n\r\n"
#define OFFERS                                                                                     \
    "GET /w HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"                  \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define SWITCHES                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static const struct scene scenes[] = {
    {"two requests on one connection",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"two requests at once",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET GET}, {ORIGIN_SENDS, OK}, {ORIGIN_SENDS, OK}, {CLIENT_ENDS, NULL}}},
    {"a hook that waits, then a refusal",
     1u << HOOK_REQUEST,
     VERDICT_ANSWER,
     403,
     {{CLIENT_SENDS, GET},
      {HOOK_ANSWERS, NULL},
      {CLIENT_SENDS, GET},
      {HOOK_ANSWERS, NULL},
      {CLIENT_ENDS, NULL}}},
    {"every hook waits",
     (1u << HOOK_REQUEST) | (1u << HOOK_RESPONSE) | (1u << HOOK_LOG) | (1u << HOOK_ERROR),
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET},
      {HOOK_ANSWERS, NULL},
      {ORIGIN_SENDS, OK},
      {HOOK_ANSWERS, NULL},
      {HOOK_ANSWERS, NULL},
      {CLIENT_ENDS, NULL}}},
    {"an expectation, forwarded",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, EXPECTS},
      {ORIGIN_SENDS, "HTTP/1.1 100 Continue\r\n\r\n"},
      {CLIENT_SENDS, BODY},
      {ORIGIN_SENDS, OK},
      {CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"an expectation, answered here",
     1u << HOOK_EXPECT,
     VERDICT_CONTINUE,
     0,
     {{CLIENT_SENDS, EXPECTS},
      {HOOK_ANSWERS, NULL},
      {CLIENT_SENDS, BODY},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"an expectation, refused by the origin",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, EXPECTS},
      {ORIGIN_SENDS, "HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n"},
      {CLIENT_SENDS, BODY},
      {CLIENT_ENDS, NULL}}},
    {"interim responses, a chunked body and trailers both ways",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "80;e=1\r\n" BODY "\r\n"},
      {ORIGIN_SENDS, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"},
      {CLIENT_SENDS, "1\r\nx\r\n0\r\nX-T: 1\r\n\r\n"},
      {ORIGIN_SENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" BODY "\r\n"},
      {ORIGIN_SENDS, "0\r\nX-T: 2\r\n\r\n"},
      {CLIENT_ENDS, NULL}}},
    {"a tunnel with early bytes, ended by the client",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, OFFERS "early"},
      {ORIGIN_SENDS, SWITCHES "hello"},
      {CLIENT_SENDS, BODY},
      {ORIGIN_SENDS, BODY},
      {CLIENT_ENDS, NULL},
      {ORIGIN_ENDS, NULL}}},
    {"a tunnel, reset by the origin",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, OFFERS},
      {ORIGIN_SENDS, SWITCHES},
      {CLIENT_SENDS, BODY},
      {ORIGIN_RESETS, NULL}}},
    {"an upgrade that the origin declines",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, OFFERS},
      {ORIGIN_SENDS, OK},
      {CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"a body that only the end ends",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET},
      {ORIGIN_SENDS, "HTTP/1.1 200 OK\r\n\r\n" BODY},
      {ORIGIN_ENDS, NULL},
      {CLIENT_ENDS, NULL}}},
    {"a response that breaks off",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET},
      {ORIGIN_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"},
      {ORIGIN_ENDS, NULL}}},
    {"an origin that ends without a word, then a fresh one",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_SENDS, GET},
      {ORIGIN_RESETS, NULL},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"a client that leaves in the middle of its body",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, "PUT /u HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n" BODY},
      {CLIENT_RESETS, NULL},
      {NEW_CLIENT, NULL},
      {CLIENT_SENDS, GET},
      {ORIGIN_SENDS, OK},
      {CLIENT_ENDS, NULL}}},
    {"bytes that are no request",
     0,
     VERDICT_DEFAULT,
     0,
     {{CLIENT_SENDS, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"}, {CLIENT_ENDS, NULL}}},
};

/* ---- the stage ---- */

#define HEARD_MAX 16384
struct heard {
    char text[HEARD_MAX];
    size_t len;
};

struct stage {
    struct ev_loop *loop;
    struct stats stats;
    struct settings settings;
    struct scene_policy policy;
    struct proxy *proxy;
    int listener, origin_listener, client, origin, null;
    unsigned port;
    struct heard client_heard, origin_heard;
};

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void hear(int *fd, struct heard *h)
{
    ssize_t n;

    while (*fd >= 0 && (n = recv(*fd, h->text + h->len, HEARD_MAX - h->len, MSG_DONTWAIT)) > 0)
        h->len += (size_t)n;
}

static void on_turn_over(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

/* A script's words are on the wire as soon as they are said. */
static int outspoken(int fd)
{
    int on = 1;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void turn(struct stage *s)
{
    ev_timer limit;

    ev_timer_init(&limit, on_turn_over, 0.0005, 0);
    ev_timer_start(s->loop, &limit);
    ev_run(s->loop, EVRUN_ONCE);
    ev_timer_stop(s->loop, &limit);
    if (s->origin < 0)
        s->origin = outspoken(accept4(s->origin_listener, NULL, NULL, SOCK_NONBLOCK));
    hear(&s->client, &s->client_heard);
    hear(&s->origin, &s->origin_heard);
}

/* Until nothing more happens: no call, no byte, no connection. */
static void settle(struct stage *s)
{
    for (int still = 0, turns = 0; still < 2; still++, turns++) {
        size_t before = faults_calls() + s->client_heard.len + s->origin_heard.len;
        int origin = s->origin;
        assert_true(turns < 20000);
        turn(s);
        if (faults_calls() + s->client_heard.len + s->origin_heard.len != before ||
            s->origin != origin)
            still = -1;
    }
}

static void open_client(struct stage *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)s->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    s->client = outspoken(socket(AF_INET, SOCK_STREAM, 0));
    assert_int_equal(connect(s->client, (struct sockaddr *)&to, sizeof to), 0);
}

static void drop(int *fd, bool reset)
{
    struct linger now = {1, 0};

    if (*fd < 0)
        return;
    if (reset)
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(*fd);
    *fd = -1;
}

static void say(int fd, const char *text)
{
    if (fd >= 0)
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void play(struct stage *s, const struct step *step)
{
    struct policy_call *call = s->policy.waiting;

    switch (step->act) {
    case CLIENT_SENDS:
        say(s->client, step->text);
        break;
    case ORIGIN_SENDS:
        say(s->origin, step->text);
        break;
    case CLIENT_ENDS:
        if (s->client >= 0)
            shutdown(s->client, SHUT_WR);
        break;
    case ORIGIN_ENDS:
        drop(&s->origin, false);
        break;
    case CLIENT_RESETS:
        drop(&s->client, true);
        break;
    case ORIGIN_RESETS:
        drop(&s->origin, true);
        break;
    case HOOK_ANSWERS:
        s->policy.waiting = NULL;
        if (call != NULL)
            call->done(call);
        break;
    case NEW_CLIENT:
        open_client(s);
        break;
    }
}

static bool raise_curtain(struct stage *s, const struct scene *scene)
{
    char text[64], why[128];
    unsigned origin_port;

    memset(s, 0, sizeof *s);
    s->client = s->origin = -1;
    s->listener = listen_somewhere(&s->port);
    s->origin_listener = listen_somewhere(&origin_port);
    s->null = open("/dev/null", O_WRONLY);
    s->loop = ev_loop_new(EVFLAG_AUTO);
    settings_default(&s->settings);
    snprintf(text, sizeof text, "127.0.0.1:%u", origin_port);
    s->settings.upstream = settings_add_upstream(&s->settings, SLICE("app"), why, sizeof why);
    assert_true(settings_add_address(&s->settings, slice_of_string(text), why, sizeof why));
    s->policy.policy.ops = &scene_ops;
    s->policy.policy.hooks = scene->hooks;
    s->policy.kind = scene->kind;
    s->policy.status = scene->status;
    s->proxy = proxy_new(s->loop, &s->stats, s->null, 1);
    if (s->proxy == NULL)
        return false;
    if (!proxy_use(s->proxy, &s->settings, scene->hooks ? &s->policy.policy : NULL, 1, NULL, NULL))
        return false;
    return proxy_listen(s->proxy, s->listener);
}

static void drop_curtain(struct stage *s)
{
    if (s->proxy != NULL)
        proxy_free(s->proxy);
    drop(&s->client, false);
    drop(&s->origin, false);
    close(s->listener);
    close(s->origin_listener);
    close(s->null);
    ev_loop_destroy(s->loop);
}

/* Exactly one final response for each request that was begun, at most. */
static size_t finals(const struct heard *h)
{
    size_t count = 0;

    for (size_t i = 0; i + 10 < h->len; i++)
        count += memcmp(h->text + i, "HTTP/1.1 ", 9) == 0 && h->text[i + 9] != '1';
    return count;
}

static void check(const struct stage *s, const struct scene *scene)
{
    const struct stats *n = &s->stats;

    if (n->requests != n->answered_upstream + n->answered_here + n->aborted + n->cut ||
        n->active != 0 || n->accepted != n->closed || n->open != 0 || n->upstream_open != 0 ||
        n->tunnels != 0 || n->disagreements != 0 || finals(&s->client_heard) > n->requests ||
        faults_blocks() != 0 || faults_sockets() != 0)
        fail_msg("%s, with %s failing: requests %zu, finals %zu, blocks %zu, sockets %zu",
                 scene->name, faults_hit(), (size_t)n->requests, finals(&s->client_heard),
                 faults_blocks(), faults_sockets());
}

/* Plays a scene; what both ends heard stays in *s. */
static void perform(struct stage *s, const struct scene *scene, enum fault_mode mode, size_t k)
{
    faults_begin(mode, k);
    if (raise_curtain(s, scene)) {
        open_client(s);
        for (size_t i = 0; i < STEPS_MAX; i++) {
            const struct step *step = &scene->steps[i];
            if (i > 0 && step->act == CLIENT_SENDS && step->text == NULL)
                break;
            play(s, step);
            settle(s);
        }
    }
    drop_curtain(s);
    check(s, scene);
}

/* ---- the tests ---- */

static void any_one_call_may_fail(void **state)
{
    static struct stage s;
    size_t faults = 0;
    (void)state;

    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        size_t calls;
        perform(&s, &scenes[i], FAULTS_NONE, 0);
        calls = faults_calls();
        assert_true(calls > 5);
        for (size_t k = 1; k <= calls; k++, faults++)
            perform(&s, &scenes[i], FAULTS_KTH, k);
    }
    print_message("%zu faults in %zu scenes\n", faults, sizeof scenes / sizeof *scenes);
}

/* Dates and ids differ from run to run. */
static void blank(struct heard *h)
{
    static const char date[] = "\r\nDate: ";

    for (size_t i = 0; i + sizeof date + 29 < h->len; i++)
        if (memcmp(h->text + i, date, sizeof date - 1) == 0)
            memset(h->text + i + sizeof date - 1, '-', 29);
    for (size_t i = 0; i + 16 < h->len; i++) {
        size_t n = 0;
        while (n < 16 && strchr("0123456789abcdef", h->text[i + n]) != NULL && h->text[i + n])
            n++;
        if (n == 16)
            memset(h->text + i, '-', 16);
    }
}

/* Where chunks begin and end may differ, what they carry may not: decodes the chunked body that is
 * the last thing heard, if there is one. */
static void unframe(struct heard *h)
{
    static const char coding[] = "Transfer-Encoding: chunked\r\n";
    char *head = h->len < HEARD_MAX ? memmem(h->text, h->len, coding, sizeof coding - 1) : NULL;
    char *body = head == NULL ? NULL : strstr(head, "\r\n\r\n");
    struct slice in, piece;
    struct chunk chunk;
    char *to;
    enum chunk_event event;

    if (body == NULL)
        return;
    to = body + 4;
    in = slice_of(to, h->len - (size_t)(to - h->text));
    chunk_init(&chunk);
    while ((event = chunk_decode(&chunk, &in, &piece)) == CHUNK_DATA || event == CHUNK_TRAILER) {
        memmove(to, piece.at, piece.len);
        to += piece.len;
    }
    if (event != CHUNK_END)
        fail_msg("a chunked body does not end: %s\n%.*s", chunk.why ? chunk.why : "", (int)h->len,
                 h->text);
    h->len = (size_t)(to - h->text);
}

static void same_in(enum fault_mode mode)
{
    static struct stage whole, split;

    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        perform(&whole, &scenes[i], FAULTS_NONE, 0);
        perform(&split, &scenes[i], mode, 0);
        blank(&whole.client_heard);
        blank(&split.client_heard);
        unframe(&whole.client_heard);
        unframe(&split.client_heard);
        unframe(&whole.origin_heard);
        unframe(&split.origin_heard);
        if (whole.client_heard.len != split.client_heard.len ||
            memcmp(whole.client_heard.text, split.client_heard.text, whole.client_heard.len) != 0)
            fail_msg("%s: the client heard\n%.*s\nbut whole\n%.*s", scenes[i].name,
                     (int)split.client_heard.len, split.client_heard.text,
                     (int)whole.client_heard.len, whole.client_heard.text);
        if (whole.origin_heard.len != split.origin_heard.len ||
            memcmp(whole.origin_heard.text, split.origin_heard.text, whole.origin_heard.len) != 0)
            fail_msg("%s: the origin heard\n%.*s\nbut whole\n%.*s", scenes[i].name,
                     (int)split.origin_heard.len, split.origin_heard.text,
                     (int)whole.origin_heard.len, whole.origin_heard.text);
    }
}

static void one_byte_at_a_time_changes_nothing(void **state)
{
    (void)state;
    same_in(FAULTS_SHORT);
}

static void a_storm_of_eagain_changes_nothing(void **state)
{
    (void)state;
    same_in(FAULTS_STORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_one_call_may_fail),
        cmocka_unit_test(one_byte_at_a_time_changes_nothing),
        cmocka_unit_test(a_storm_of_eagain_changes_nothing),
    };
    /* What is logged here is meant to go wrong. */
    log_open("fault", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
