/* What a log line promises: one write, one line, nothing forged. */
#include "../fact.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static int kept_stderr;
static int ends[2];

/* stderr is a pipe of packets while a test runs: one read gives what one write gave. */
static int catch_stderr(void **state)
{
    (void)state;
    kept_stderr = dup(STDERR_FILENO);
    return kept_stderr < 0 || pipe2(ends, O_DIRECT) < 0 || dup2(ends[1], STDERR_FILENO) < 0;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* One line. A short one comes in one read, because the pipe keeps the bounds of writes. */
static const char *caught(void)
{
    static char text[16384];
    size_t len = 0;
    do {
        ssize_t n = read(ends[0], text + len, sizeof text - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        assert_true(text[len - 1] == '\n' || n == PIPE_BUF);
    } while (text[len - 1] != '\n');
    text[len] = '\0';
    return text;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (result != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
}

static void a_line_says_when_how_bad_who_and_what(void **state)
{
    (void)state;
    log_open("worker 1", LOG_INFO);
    log_warning("origin %s is %d", "a", 42);
    assert_matches(caught(), "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                             "\\.[0-9]{3}Z warning worker 1: origin a is 42\n$");
}

static void every_level_has_its_name(void **state)
{
    (void)state;
    log_open("parent", LOG_DEBUG);
    log_debug("x");
    assert_matches(caught(), "Z debug parent: x\n$");
    log_info("x");
    assert_matches(caught(), "Z info parent: x\n$");
    log_error("x");
    assert_matches(caught(), "Z error parent: x\n$");
}

static void lines_below_the_least_level_are_dropped(void **state)
{
    (void)state;
    log_open("parent", LOG_ERROR);
    log_warning("dropped");
    log_error("kept");
    assert_matches(caught(), "kept\n$");
}

static void no_byte_can_forge_a_line(void **state)
{
    (void)state;
    log_open("parent", LOG_INFO);
    log_info("%s", "a\nb\r\x1b[0m\x7f\xc3\xa4\t");
    assert_matches(caught(), "parent: a\\\\x0ab\\\\x0d\\\\x1b\\[0m\\\\x7f\\\\xc3\\\\xa4\\\\x09\n$");
}

static void a_long_line_is_cut_and_shows_it(void **state)
{
    (void)state;
    log_open("parent", LOG_INFO);
    log_info("%03000d", 7);
    const char *text = caught();
    assert_matches(text, "parent: 0+\\.\\.\\.\n$");
    assert_true(strlen(text) < 3000);
}

static void a_long_line_of_escapes_still_fits(void **state)
{
    (void)state;
    char text[3000];
    memset(text, '\n', sizeof text);
    text[sizeof text - 1] = '\0';
    log_open("a speaker with a name that is far too long to keep", LOG_INFO);
    log_info("%s", text);
    assert_matches(caught(), "a speaker with a name [a-z ]+: (\\\\x0a)+\\.\\.\\.\n$");
}

/* A pipe that blocks, and that nobody reads. */
static void lines_that_nobody_takes_are_counted_and_hold_up_nothing(void **state)
{
    (void)state;
    log_open("parent", LOG_INFO);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BUF), PIPE_BUF);
    for (int i = 0; i < 10; i++)
        log_info("line %d", i);
    assert_matches(caught(), "parent: line 0\n$");
    log_info("line 10");
    assert_matches(caught(),
                   "warning parent: lines lost before this one: 9; stderr took no more\n$");
    log_info("line 11");
    assert_matches(caught(),
                   "warning parent: lines lost before this one: 1; stderr took no more\n$");
    log_open("child", LOG_INFO);
    log_info("line 12");
    assert_matches(caught(), "child: line 12\n$");
}

static void a_line_behind_a_part_of_one_begins_anew(void **state)
{
    (void)state;
    char text[256];
    struct rlimit limit = {8, RLIM_INFINITY};
    int file = memfd_create("log", 0);
    log_open("parent", LOG_INFO);
    assert_true(file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("lost");
    log_info("lost");
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("kept");
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    close(file);
    assert_matches(text,
                   "^20[0-9-]{6}\n[^\n]* lines lost before this one: 2;[^\n]*\n[^\n]*: kept\n$");
}

static void take_line(enum log_level level, const char *text, void *arg)
{
    snprintf(arg, 100, "%d %s", (int)level, text);
}

static void diverted_lines_go_elsewhere_escaped_and_of_every_level(void **state)
{
    (void)state;
    char line[100];
    log_open("parent", LOG_ERROR);
    log_divert(take_line, line);
    log_debug("a\n%d", 7);
    assert_string_equal(line, "0 a\\x0a7");
    log_divert(NULL, NULL);
    log_error("kept");
    assert_matches(caught(), "^[^ ]+ error parent: kept\n$");
}

static void errno_survives(void **state)
{
    (void)state;
    log_open("parent", LOG_INFO);
    errno = ENOTTY;
    log_info("x");
    assert_int_equal(errno, ENOTTY);
    (void)caught();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, catch_stderr, release_stderr)
        LOG_TEST(a_line_says_when_how_bad_who_and_what),
        LOG_TEST(every_level_has_its_name),
        LOG_TEST(lines_below_the_least_level_are_dropped),
        LOG_TEST(no_byte_can_forge_a_line),
        LOG_TEST(a_long_line_is_cut_and_shows_it),
        LOG_TEST(a_long_line_of_escapes_still_fits),
        LOG_TEST(diverted_lines_go_elsewhere_escaped_and_of_every_level),
        LOG_TEST(errno_survives),
        LOG_TEST(lines_that_nobody_takes_are_counted_and_hold_up_nothing),
        LOG_TEST(a_line_behind_a_part_of_one_begins_anew),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
