/*
 * A program that is to take over does so in time, or is sent away: first asked, at last made to.
 */
#include "process/upgrade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct ending {
    pid_t pid;
    char why[256];
};

static void on_over(void *arg, pid_t pid, const char *why)
{
    struct ending *ending = arg;
    ending->pid = pid;
    snprintf(ending->why, sizeof ending->why, "%s", why != NULL ? why : "");
    ev_break(ev_default_loop(0), EVBREAK_ALL);
}

static void on_begun(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)io;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* What a shell that runs a script and never says that it is ready has said when it is gone. */
static const char *when_late(const char *script, struct ending *ending)
{
    static char said[64];
    static const struct ports none;
    struct ev_loop *loop = ev_default_loop(0);
    struct upgrade upgrade;
    struct ev_io begun;
    char why[256], *const argv[] = {"/bin/sh", "-c", (char *)(uintptr_t)script, NULL};
    int out[2], before = dup(STDOUT_FILENO);
    assert_int_equal(pipe(out), 0);
    dup2(out[1], STDOUT_FILENO);
    close(out[1]);
    upgrade_init(&upgrade, loop, on_over, ending);
    assert_true(upgrade_start(&upgrade, argv, &none, &none, why, sizeof why));
    dup2(before, STDOUT_FILENO);
    close(before);
    /* It has said "begun": its traps are set. */
    ev_io_init(&begun, on_begun, out[0], EV_READ);
    ev_io_start(loop, &begun);
    ev_run(loop, 0);
    ev_io_stop(loop, &begun);
    ev_feed_event(loop, &upgrade.timer, EV_TIMER);
    ev_run(loop, 0);
    ssize_t got = read(out[0], said, sizeof said - 1);
    said[got > 0 ? got : 0] = '\0';
    close(out[0]);
    return said;
}

static void one_that_is_late_is_asked_to_leave(void **state)
{
    struct ending ending;
    (void)state;
    assert_string_equal(
        when_late("trap 'echo TERM; exit' TERM; echo begun; while :; do sleep 0.01; done", &ending),
        "begun\nTERM\n");
    assert_int_equal(ending.pid, 0);
    assert_string_equal(ending.why, "the new program was not ready after 30 s");
}

static void one_that_does_not_leave_is_hurried_and_killed(void **state)
{
    struct ending ending;
    (void)state;
    assert_string_equal(when_late("trap 'echo TERM' TERM; trap 'echo INT' INT; echo begun; "
                                  "while :; do sleep 0.01; done",
                                  &ending),
                        "begun\nTERM\nINT\n");
    assert_int_equal(ending.pid, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_late_is_asked_to_leave),
        cmocka_unit_test(one_that_does_not_leave_is_hurried_and_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
