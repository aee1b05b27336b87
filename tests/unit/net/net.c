/* What is over is freed behind the event, whichever library's it was. */
#include "net/net.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define EVENTS 5

static struct net net;
static int alive, most;

struct thing {
    ev_timer due;
    struct doom doom;
};

static void reap_thing(struct doom *d)
{
    (void)d;
    alive--;
}

/* Of a library that knows nothing of net, as the timers of hooks that sleep are. */
static void on_due(struct ev_loop *loop, ev_timer *w, int events)
{
    struct thing *t = LIST_OWNER(w, struct thing, due);
    (void)loop;
    (void)events;

    net_doom(&net, &t->doom, reap_thing);
    net_doom(&net, &t->doom, reap_thing);
    alive++;
    most = alive > most ? alive : most;
}

static void events_of_one_turn_leave_behind_what_one_of_them_does(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct thing things[EVENTS] = {0};
    (void)state;

    assert_true(net_init(&net, loop));
    for (size_t i = 0; i < EVENTS; i++) {
        ev_timer_init(&things[i].due, on_due, 0.001, 0);
        ev_timer_start(loop, &things[i].due);
    }
    ev_sleep(0.01);
    ev_now_update(loop);
    ev_run(loop, EVRUN_ONCE);
    assert_int_equal(most, 1);
    assert_int_equal(alive, 0);
    net_free(&net);
    ev_loop_destroy(loop);
}

/* Nothing runs whose end could be waited for. */
static void what_is_over_before_the_loop_runs_is_freed_with_the_rest(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct doom doom = {0};
    (void)state;

    assert_true(net_init(&net, loop));
    alive = 1;
    net_doom(&net, &doom, reap_thing);
    net_free(&net);
    assert_int_equal(alive, 0);
    ev_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_one_turn_leave_behind_what_one_of_them_does),
        cmocka_unit_test(what_is_over_before_the_loop_runs_is_freed_with_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
