/*
 * The words between parent and worker: whole, in order, with their descriptors.
 */
#include "process/control.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];
static struct control_message message, got;

static int open_pair(void **state)
{
    (void)state;
    memset(&message, 0, sizeof message);
    return control_pair(pair) ? 0 : -1;
}

static int close_pair(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
    return 0;
}

static void nothing_is_not_the_end(void **state)
{
    (void)state;
    assert_int_equal(control_receive(pair[1], &got), CONTROL_NOTHING);
    close(pair[0]);
    pair[0] = -1;
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GONE);
    assert_false(control_send(pair[1], &message));
}

static void messages_arrive_whole_and_in_order(void **state)
{
    (void)state;
    message.kind = CONTROL_FAILED;
    snprintf(message.text, sizeof message.text, "first");
    assert_true(control_send(pair[0], &message));
    message.kind = CONTROL_COMMIT;
    message.serial = 7;
    assert_true(control_send(pair[0], &message));
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GOT);
    assert_int_equal(got.kind, CONTROL_FAILED);
    assert_string_equal(got.text, "first");
    assert_int_equal(got.fd_count, 0);
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GOT);
    assert_int_equal(got.kind, CONTROL_COMMIT);
    assert_int_equal(got.serial, 7);
}

static void descriptors_travel_and_are_closed_on_exec(void **state)
{
    struct stat sent, came;
    (void)state;
    message.fd_count = CONTROL_FDS_MAX;
    for (size_t i = 0; i < message.fd_count; i++)
        message.fds[i] = pair[0];
    assert_true(control_send(pair[0], &message));
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GOT);
    assert_int_equal(got.fd_count, CONTROL_FDS_MAX);
    assert_int_equal(fstat(pair[0], &sent), 0);
    for (size_t i = 0; i < got.fd_count; i++) {
        assert_int_equal(fstat(got.fds[i], &came), 0);
        assert_int_equal(came.st_ino, sent.st_ino);
        assert_true(fcntl(got.fds[i], F_GETFD) & FD_CLOEXEC);
    }
    int last = got.fds[CONTROL_FDS_MAX - 1];
    control_drop_fds(&got);
    assert_int_equal(got.fd_count, 0);
    assert_true(fcntl(last, F_GETFD) < 0);
}

static void more_descriptors_than_there_is_room_for_are_dropped(void **state)
{
    enum { MORE = 2 * CONTROL_FDS_MAX };
    union {
        char bytes[CMSG_SPACE(MORE * sizeof(int))];
        struct cmsghdr align;
    } room;
    (void)state;
    for (size_t count = CONTROL_FDS_MAX + 1; count <= MORE; count++) {
        struct iovec iov = {.iov_base = &message, .iov_len = sizeof message};
        struct msghdr header = {.msg_iov = &iov,
                                .msg_iovlen = 1,
                                .msg_control = room.bytes,
                                .msg_controllen = CMSG_SPACE(count * sizeof(int))};
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[0], sizeof(int));
        assert_int_equal(sendmsg(pair[0], &header, 0), sizeof message);
        assert_int_equal(control_receive(pair[1], &got), CONTROL_GOT);
        assert_int_equal(got.fd_count, CONTROL_FDS_MAX);
        int last = got.fds[CONTROL_FDS_MAX - 1], next = dup(0);
        close(next);
        assert_int_equal(next, last + 1); /* the rest is not open */
        control_drop_fds(&got);
    }
}

static void a_packet_of_another_size_ends_the_talk(void **state)
{
    (void)state;
    assert_int_equal(send(pair[0], "short", 5, 0), 5);
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GONE);
}

static void a_text_without_an_end_is_ended(void **state)
{
    (void)state;
    memset(message.text, 'x', sizeof message.text);
    assert_true(control_send(pair[0], &message));
    assert_int_equal(control_receive(pair[1], &got), CONTROL_GOT);
    assert_int_equal(strlen(got.text), CONTROL_TEXT_MAX - 1);
}

static void a_receiver_that_never_reads_is_noticed(void **state)
{
    int sent = 0;
    (void)state;
    while (sent < 100000 && control_send(pair[0], &message))
        sent++;
    assert_true(sent > 0);
    assert_true(sent < 100000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_not_the_end),
        TEST(messages_arrive_whole_and_in_order),
        TEST(descriptors_travel_and_are_closed_on_exec),
        TEST(more_descriptors_than_there_is_room_for_are_dropped),
        TEST(a_packet_of_another_size_ends_the_talk),
        TEST(a_text_without_an_end_is_ended),
        TEST(a_receiver_that_never_reads_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
