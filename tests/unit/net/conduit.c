/* What goes through a conduit: read, replaced and passed on, in order, whatever a pipe has room
 * for. */
#include "net/conduit.h"

#include "net/pipe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 2000 /* more pieces than a pipe of any size has room for */

static struct ev_loop *loop;
static struct net net;
static struct conn from, to;
static int sender, receiver; /* the peers of both */

static void nothing(struct conn *c)
{
    (void)c;
}

static const struct conn_events events = {nothing, nothing, nothing, NULL};

static int open_conn(struct conn *c)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    conn_open(c, &net, pair[0], &events, NULL);
    return pair[1];
}

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO);
    assert_true(net_init(&net, loop));
    sender = open_conn(&from);
    receiver = open_conn(&to);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    conn_close(&from);
    conn_close(&to);
    close(sender);
    close(receiver);
    assert_int_equal(net.waiting, 0);
    net_free(&net);
    assert_int_equal(net.pipe_count, 0);
    ev_loop_destroy(loop);
    return 0;
}

static void send_all(const char *bytes, size_t n)
{
    assert_int_equal(write(sender, bytes, n), (ssize_t)n);
}

static void assert_received(const char *bytes, size_t n)
{
    static char got[4 * MANY];
    size_t len = 0;
    ssize_t more;

    net_flush(&net);
    do {
        ev_run(loop, EVRUN_NOWAIT);
        while ((more = read(receiver, got + len, sizeof got - len)) > 0)
            len += (size_t)more;
    } while (conn_has_waiting(&to));
    assert_int_equal(len, n);
    assert_memory_equal(got, bytes, n);
}

static void open_conduit(struct conduit *d, size_t most)
{
    enum io io;

    assert_true(conduit_open(d, &from, &to, most, &io));
    assert_int_equal(io, IO_OK);
}

static void what_is_read_is_replaced_and_what_is_passed_stays(void **state)
{
    struct conduit d;
    struct slice few;
    (void)state;

    send_all("<8>passed on<0>", 15);
    open_conduit(&d, 100);
    assert_int_equal(conduit_left(&d), 15);
    few = conduit_read(&d, 3);
    assert_true(slice_equals(few, SLICE("<8>")));
    conduit_put(&d, SLICE("[eight]"));
    conduit_pass(&d, 9);
    assert_int_equal(conduit_left(&d), 3);
    assert_true(slice_equals(conduit_read(&d, 100), SLICE("<0>")));
    conduit_put(&d, SLICE("[none]"));
    assert_true(conduit_close(&d));
    assert_received("[eight]passed on[none]", 22);
}

static void what_was_put_before_goes_first(void **state)
{
    struct conduit d;
    (void)state;

    send_all("behind", 6);
    conn_put_copy(&to, SLICE("before "));
    open_conduit(&d, 100);
    conduit_pass(&d, 6);
    assert_true(conduit_close(&d));
    assert_received("before behind", 13);
}

static void what_is_not_taken_is_dropped(void **state)
{
    struct conduit d;
    (void)state;

    send_all("one two", 7);
    open_conduit(&d, 100);
    conduit_pass(&d, 3);
    assert_true(conduit_close(&d));
    assert_received("one", 3);
}

/* Each piece takes a place in a pipe, however small it is. */
static void more_pieces_than_a_pipe_has_room_for_keep_their_order(void **state)
{
    static char in[2 * MANY], out[2 * MANY];
    struct conduit d;
    (void)state;

    for (size_t i = 0; i < MANY; i++) {
        memcpy(in + 2 * i, "-x", 2);
        out[2 * i] = (char)('a' + i % 26);
        out[2 * i + 1] = 'x';
    }
    send_all(in, sizeof in);
    open_conduit(&d, sizeof in);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(slice_equals(conduit_read(&d, 1), SLICE("-")));
        conduit_put(&d, slice_of(out + 2 * i, 1));
        conduit_pass(&d, 1);
    }
    assert_null(d.out);
    assert_true(conduit_close(&d));
    assert_received(out, sizeof out);
}

static void what_follows_a_send_is_copied_behind_it(void **state)
{
    struct conduit d;
    (void)state;

    send_all("abcdef", 6);
    open_conduit(&d, 100);
    conduit_pass(&d, 2);
    conduit_send(&d);
    conduit_put(&d, SLICE("-"));
    conduit_pass(&d, 2);
    assert_true(slice_equals(conduit_read(&d, 100), SLICE("ef")));
    assert_true(conduit_close(&d));
    assert_received("ab-cd", 5);
}

/* Closed in between, as a hook may do. */
static void bytes_for_a_receiver_that_is_gone_go_nowhere(void **state)
{
    struct conduit d;
    (void)state;

    send_all("abc", 3);
    open_conduit(&d, 100);
    conn_close(&to);
    conduit_pass(&d, 2);
    conduit_send(&d);
    conduit_pass(&d, 1);
    assert_int_equal(conduit_left(&d), 0);
    assert_true(conduit_close(&d));
    assert_received("", 0);
}

static void nothing_there_and_an_end_are_what_a_read_would_have_said(void **state)
{
    struct conduit d;
    enum io io;
    (void)state;

    assert_true(conduit_open(&d, &from, &to, 100, &io));
    assert_int_equal(io, IO_AGAIN);
    assert_int_equal(shutdown(sender, SHUT_WR), 0);
    assert_true(conduit_open(&d, &from, &to, 100, &io));
    assert_int_equal(io, IO_EOF);
}

static void without_two_pipes_there_is_no_conduit(void **state)
{
    struct conduit d;
    enum io io;
    (void)state;

    send_all("abc", 3);
    net.pipes_max = 1;
    assert_false(conduit_open(&d, &from, &to, 100, &io));
    assert_int_equal(net.pipe_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_is_replaced_and_what_is_passed_stays),
        TEST(what_was_put_before_goes_first),
        TEST(what_is_not_taken_is_dropped),
        TEST(more_pieces_than_a_pipe_has_room_for_keep_their_order),
        TEST(what_follows_a_send_is_copied_behind_it),
        TEST(bytes_for_a_receiver_that_is_gone_go_nowhere),
        TEST(nothing_there_and_an_end_are_what_a_read_would_have_said),
        TEST(without_two_pipes_there_is_no_conduit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
