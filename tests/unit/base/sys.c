/* What the door to the kernel promises about sockets and clocks. */
#include "../fact.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "base/sys.h"

static void assert_nonblocking_and_closed_on_exec(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int listen_on_loopback(struct sockaddr_in *addr)
{
    socklen_t len = sizeof *addr;
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = sys_socket(AF_INET, SOCK_STREAM);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
}

static void sockets_never_block_and_never_leak_into_children(void **state)
{
    (void)state;
    struct sockaddr_in addr;
    int door = listen_on_loopback(&addr);
    int client = sys_socket(AF_INET, SOCK_STREAM);
    assert_nonblocking_and_closed_on_exec(door);
    assert_nonblocking_and_closed_on_exec(client);
    assert_int_equal(sys_accept(door, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    int result = sys_connect(client, (struct sockaddr *)&addr, sizeof addr);
    assert_true(result == 0 || errno == EINPROGRESS);
    wait_readable(door);
    int server = sys_accept(door, NULL, NULL);
    assert_true(server >= 0);
    assert_nonblocking_and_closed_on_exec(server);
    char byte;
    assert_int_equal(sys_recv(server, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(sys_peek(server), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(sys_close(server), 0);
    assert_int_equal(sys_close(client), 0);
    assert_int_equal(sys_close(door), 0);
}

static void vectors_go_out_in_order_and_an_end_is_an_end(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct iovec parts[] = {{(void *)(uintptr_t) "head ", 5}, {(void *)(uintptr_t) "body", 4}};
    assert_int_equal(sys_writev(pair[0], parts, 2), 9);
    assert_int_equal(sys_shutdown_write(pair[0]), 0);
    char text[20];
    assert_int_equal(sys_peek(pair[1]), 1);
    assert_int_equal(sys_recv(pair[1], text, sizeof text), 9);
    assert_memory_equal(text, "head body", 9);
    assert_int_equal(sys_peek(pair[1]), 0);
    assert_int_equal(sys_recv(pair[1], text, sizeof text), 0);
    sys_close(pair[0]);
    sys_close(pair[1]);
}

static void writing_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    sys_close(pair[1]);
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    assert_int_equal(sys_writev(pair[0], &part, 1), -1);
    assert_int_equal(errno, EPIPE);
    sys_close(pair[0]);
}

static void clocks_run_forward(void **state)
{
    (void)state;
    double before = sys_monotonic();
    assert_true(sys_monotonic() >= before);
    assert_true(sys_realtime() > 1.6e9);
}

static void memory_comes_and_goes(void **state)
{
    (void)state;
    char *p = sys_calloc(10, 1);
    assert_non_null(p);
    assert_int_equal(p[9], 0);
    p = sys_realloc(p, 20);
    assert_non_null(p);
    sys_free(p);
    sys_free(NULL);
    p = sys_malloc(10);
    assert_non_null(p);
    sys_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_never_block_and_never_leak_into_children),
        cmocka_unit_test(vectors_go_out_in_order_and_an_end_is_an_end),
        cmocka_unit_test(writing_to_a_closed_peer_is_an_error_and_no_signal),
        cmocka_unit_test(clocks_run_forward),
        cmocka_unit_test(memory_comes_and_goes),
    };
    return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
