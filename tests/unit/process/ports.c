/*
 * Listening sockets: bound as asked, kept over a reload, and refused with advice.
 */
#include "process/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings settings;
static struct ports ports, next;
static char why[512];
static char folder[32], path[64], listener[80];

static void ask(const char *first, const char *second)
{
    settings_default(&settings);
    assert_true(settings_add_listener(&settings, slice_of_string(first), why, sizeof why));
    if (second != NULL)
        assert_true(settings_add_listener(&settings, slice_of_string(second), why, sizeof why));
}

static bool answers(const struct addr *a)
{
    int fd = socket(a->to.any.sa_family, SOCK_STREAM, 0);
    bool ok = connect(fd, &a->to.any, a->len) == 0;
    close(fd);
    return ok;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/interim-ports-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(listener, sizeof listener, "unix:%s", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    ports_close_except(&ports, NULL);
    unlink(path);
    return rmdir(folder);
}

static void port_zero_becomes_a_real_one(void **state)
{
    (void)state;
    ask("127.0.0.1:0", "127.0.0.1:0");
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_int_equal(ports.count, 2);
    assert_int_not_equal(addr_port(&ports.port[0].bound), 0);
    assert_int_not_equal(addr_port(&ports.port[0].bound), addr_port(&ports.port[1].bound));
    assert_true(answers(&ports.port[0].bound));
    assert_true(answers(&ports.port[1].bound));
}

static void a_port_in_use_is_refused_with_advice_and_nothing_stays_open(void **state)
{
    char text[ADDR_TEXT_MAX];
    (void)state;
    ask("127.0.0.1:0", NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    ask(listener, addr_text(&ports.port[0].bound, text));
    assert_false(ports_open(&next, &settings, NULL, why, sizeof why));
    assert_non_null(strstr(why, text));
    assert_non_null(strstr(why, "ss -lntp"));
    assert_int_equal(next.count, 0);
    assert_true(access(path, F_OK) != 0);
}

static void what_cannot_be_bound_is_refused_with_advice(void **state)
{
    (void)state;
    ask("192.0.2.1:80", NULL);
    assert_false(ports_open(&next, &settings, NULL, why, sizeof why));
    assert_non_null(strstr(why, "no interface of this machine has that address"));
    ask("unix:/nonexistent/socket", NULL);
    assert_false(ports_open(&next, &settings, NULL, why, sizeof why));
    assert_non_null(strstr(why, "its folder does not exist"));
}

/* Root is refused nothing, so it becomes somebody else for that long. */
static void who_may_not_bind_is_told_what_that_takes(void **state)
{
    char low[sizeof why], local[sizeof why];
    uid_t me = geteuid();
    (void)state;
    assert_int_equal(me == 0 ? seteuid(65534) : chmod(folder, 0500), 0);
    ask("127.0.0.1:1", NULL);
    bool low_bound = ports_open(&next, &settings, NULL, low, sizeof low);
    ports_close_except(&next, NULL);
    ask(listener, NULL);
    bool local_bound = ports_open(&next, &settings, NULL, local, sizeof local);
    assert_int_equal(me == 0 ? seteuid(me) : chmod(folder, 0700), 0);
    assert_false(local_bound);
    assert_non_null(strstr(local, "the folder must be writable for this user"));
    if (low_bound)
        skip(); /* some machines let everybody have all ports */
    assert_non_null(strstr(low, "ports below 1024 need root or CAP_NET_BIND_SERVICE"));
}

static void a_reload_keeps_what_both_want(void **state)
{
    struct stat st;
    (void)state;
    ask("127.0.0.1:0", listener);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    ask("127.0.0.1:0", "127.0.0.1:0");
    assert_true(ports_open(&next, &settings, &ports, why, sizeof why));
    assert_int_equal(next.port[0].id, ports.port[0].id);
    assert_int_equal(next.port[0].fd, ports.port[0].fd);
    assert_false(ports_has(&ports, next.port[1].id));
    ports_close_except(&ports, &next);
    assert_true(stat(path, &st) != 0);
    ports = next;
    assert_true(answers(&ports.port[0].bound));
}

static void a_failed_reload_leaves_the_old_ones_alone(void **state)
{
    (void)state;
    ask(listener, NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    ask(listener, "unix:/nonexistent/socket");
    assert_false(ports_open(&next, &settings, &ports, why, sizeof why));
    assert_non_null(strstr(why, "folder does not exist"));
    assert_true(answers(&ports.port[0].bound));
}

static void anyone_may_connect_to_a_unix_socket(void **state)
{
    struct stat st;
    (void)state;
    ask(listener, NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
}

static void a_unix_socket_left_behind_is_replaced(void **state)
{
    (void)state;
    ask(listener, NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    close(ports.port[0].fd);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_true(answers(&ports.port[0].bound));
}

static void a_unix_socket_that_answers_is_left_alone(void **state)
{
    (void)state;
    ask(listener, NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_false(ports_open(&next, &settings, NULL, why, sizeof why));
    assert_non_null(strstr(why, "answers on it"));
    assert_true(answers(&ports.port[0].bound));
}

/* A child that listens when `start` is closed, says whether it could, and stays until `stop` is. */
static pid_t start_rival(const int start[2], const int stop[2], int told)
{
    char c = 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    close(start[1]);
    close(stop[1]);
    (void)!read(start[0], &c, 1);
    c = ports_open(&ports, &settings, NULL, why, sizeof why) ? '+' : '-';
    (void)!write(told, &c, 1);
    (void)!read(stop[0], &c, 1);
    _exit(0);
}

static void of_two_that_start_at_once_where_a_socket_was_left_one_listens(void **state)
{
    (void)state;
    ask(listener, NULL);
    for (int round = 0; round < 300; round++) {
        int start[2], stop[2], told[2];
        char said[2];
        pid_t rivals[2];
        assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
        close(ports.port[0].fd);
        ports.count = 0;
        assert_int_equal(pipe(start) + pipe(stop) + pipe(told), 0);
        for (int i = 0; i < 2; i++)
            rivals[i] = start_rival(start, stop, told[1]);
        close(start[1]);
        assert_int_equal(read(told[0], &said[0], 1) + read(told[0], &said[1], 1), 2);
        close(stop[1]);
        for (int i = 0; i < 2; i++)
            assert_int_equal(waitpid(rivals[i], NULL, 0), rivals[i]);
        assert_int_equal(said[0] + said[1], '+' + '-');
        close(start[0]);
        close(stop[0]);
        close(told[0]);
        close(told[1]);
    }
}

static void a_path_that_has_become_somebody_elses_is_left_alone(void **state)
{
    (void)state;
    ask(listener, NULL);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_int_equal(unlink(path), 0);
    assert_true(ports_open(&next, &settings, NULL, why, sizeof why));
    ports_close_except(&ports, NULL);
    assert_true(answers(&next.port[0].bound));
    ports_close_except(&next, NULL);
    assert_true(access(path, F_OK) != 0);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    ask(listener, NULL);
    assert_false(ports_open(&next, &settings, NULL, why, sizeof why));
    assert_int_equal(access(path, F_OK), 0);
}

static void all_of_ipv6_takes_ipv4_too_unless_that_has_its_own(void **state)
{
    char text[32];
    struct addr ip4;
    (void)state;
    ask("[::]:0", NULL);
    if (!ports_open(&ports, &settings, NULL, why, sizeof why))
        skip();
    unsigned port = addr_port(&ports.port[0].bound);
    snprintf(text, sizeof text, "127.0.0.1:%u", port);
    assert_int_equal(addr_parse(slice_of_string(text), false, &ip4, 1, why, sizeof why), 1);
    assert_true(answers(&ip4));
    ports_close_except(&ports, NULL);
    char all[32];
    snprintf(all, sizeof all, "[::]:%u", port);
    ask(all, text);
    assert_true(ports_open(&ports, &settings, NULL, why, sizeof why));
    assert_int_equal(ports.count, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(port_zero_becomes_a_real_one),
        TEST(a_port_in_use_is_refused_with_advice_and_nothing_stays_open),
        TEST(what_cannot_be_bound_is_refused_with_advice),
        TEST(who_may_not_bind_is_told_what_that_takes),
        TEST(a_reload_keeps_what_both_want),
        TEST(a_failed_reload_leaves_the_old_ones_alone),
        TEST(anyone_may_connect_to_a_unix_socket),
        TEST(a_unix_socket_left_behind_is_replaced),
        TEST(a_unix_socket_that_answers_is_left_alone),
        TEST(of_two_that_start_at_once_where_a_socket_was_left_one_listens),
        TEST(a_path_that_has_become_somebody_elses_is_left_alone),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(all_of_ipv6_takes_ipv4_too_unless_that_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
