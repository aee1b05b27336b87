/*
 * A text from an admin listener comes whole or not at all, and what came instead is told.
 */
#include "process/fetch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM 100

/* A listener that gives everyone the same answer. */
struct server {
    int fd;
    struct addr at;
    const char *answer; /* NULL: a reset */
    char request[256];
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    ssize_t got = recv(fd, s->request, sizeof s->request - 1, 0);
    s->request[got > 0 ? got : 0] = '\0';
    if (s->answer == NULL)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                   sizeof(struct linger));
    else
        (void)!send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void listen_for_one(struct server *s, const char *answer)
{
    char why[128];
    *s = (struct server){.answer = answer};
    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), true, &s->at, 1, why, sizeof why), 1);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, &s->at.to.any, s->at.len), 0);
    assert_int_equal(getsockname(s->fd, &s->at.to.any, &s->at.len), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

/* What came of it: the text, or the message. */
static const char *outcome(const char *answer)
{
    static char said[512];
    struct server server;
    struct buf body;
    char why[256] = "";
    listen_for_one(&server, answer);
    buf_init(&body, ROOM);
    bool ok = fetch(&server.at, "/status", &body, why, sizeof why);
    snprintf(said, sizeof said, "%s%.*s", ok ? "came: " : why, SLICE_ARG(buf_slice(&body)));
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    assert_memory_equal(server.request, "GET /status HTTP/1.1\r\nHost: localhost\r\n", 39);
    buf_free(&body);
    close(server.fd);
    return said;
}

static void a_whole_answer_is_taken(void **state)
{
    (void)state;
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext"), "came: text");
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "came: ");
}

static void half_an_answer_is_none(void **state)
{
    (void)state;
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntext"),
                        "its answer broke off");
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntext"),
                        "its answer broke off");
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\n\r\ntext"), "its answer broke off");
    assert_string_equal(outcome(NULL), "Connection reset by peer");
}

static void another_status_is_told(void **state)
{
    (void)state;
    assert_string_equal(outcome("HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n"),
                        "it answered 421 Misdirected Request");
}

static void what_is_no_http_is_told(void **state)
{
    (void)state;
    assert_string_equal(outcome("SSH-2.0-x\r\n\r\n"), "what answers there speaks no HTTP");
    assert_string_equal(outcome("HTTP/1.1 200 OK\r\n"), "what answers there speaks no HTTP");
    assert_string_equal(outcome(""), "what answers there speaks no HTTP");
}

static void more_than_there_is_room_for_is_refused(void **state)
{
    static char answer[16 * 1024];
    (void)state;
    memset(answer, 'x', sizeof answer - 1);
    assert_string_equal(outcome(answer), "Message too long");
    int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", ROOM + 1);
    answer[head] = 'x';
    answer[head + ROOM + 1] = '\0';
    assert_string_equal(outcome(answer), "Message too long");
}

static void where_nobody_listens_that_is_told(void **state)
{
    struct server server;
    struct buf body;
    char why[256];
    (void)state;
    listen_for_one(&server, "");
    buf_init(&body, ROOM);
    assert_false(fetch(&server.at, "/", &body, why, sizeof why));
    pthread_join(server.thread, NULL);
    close(server.fd);
    assert_false(fetch(&server.at, "/", &body, why, sizeof why));
    assert_string_equal(why, "Connection refused");
    server.at.to.any.sa_family = AF_UNSPEC;
    assert_false(fetch(&server.at, "/", &body, why, sizeof why));
    assert_string_equal(why, "Address family not supported by protocol");
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_is_taken),
        cmocka_unit_test(half_an_answer_is_none),
        cmocka_unit_test(another_status_is_told),
        cmocka_unit_test(what_is_no_http_is_told),
        cmocka_unit_test(more_than_there_is_room_for_is_refused),
        cmocka_unit_test(where_nobody_listens_that_is_told),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
