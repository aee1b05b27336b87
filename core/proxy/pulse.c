/*
 * pulse: stores the words. Promises a few plain stores a turn, an event and a hook, and no system
 * call; where hooks are timed, two looks at the clock a hook.
 *
 * Next: process/heartbeat reads them.
 */
#include "proxy/pulse.h"

#include "base/sys.h"

#include <ev.h>
#include <stdatomic.h>

static struct pulse nobodys;
static struct pulse *pulse = &nobodys;
static struct hook_stats *timed; /* NULL: nobody wants to know */
static struct hook_stats *running;
static double running_since;
static ev_prepare sleeping;
static ev_check waking;

/* One writer: load and store need not be one step. */
static void beat(uint32_t steps)
{
    uint32_t now = atomic_load_explicit(&pulse->beat, memory_order_relaxed);
    atomic_store_explicit(&pulse->beat, now + steps, memory_order_release);
}

static void before_sleep(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
    beat(1);
}

static void after_sleep(struct ev_loop *loop, ev_check *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
    beat(1);
}

void pulse_start(struct pulse *shared, struct ev_loop *loop)
{
    pulse = shared;
    atomic_store(&pulse->doing, 0);
    atomic_store(&pulse->beat, 1);
    ev_prepare_init(&sleeping, before_sleep);
    /* After all that others do before they sleep. */
    ev_set_priority(&sleeping, EV_MINPRI);
    ev_prepare_start(loop, &sleeping);
    ev_check_init(&waking, after_sleep);
    ev_set_priority(&waking, EV_MAXPRI);
    ev_check_start(loop, &waking);
}

static void enter(unsigned doing, uint64_t request)
{
    atomic_store_explicit(&pulse->request, request, memory_order_relaxed);
    atomic_store_explicit(&pulse->doing, doing, memory_order_relaxed);
    beat(2);
}

void pulse_time_hooks(struct hook_stats *hooks)
{
    timed = hooks;
}

void pulse_enter_hook(enum policy_hook hook, uint64_t request)
{
    enter(1u + (unsigned)hook, request);
    if (timed == NULL)
        return;
    running = &timed[hook];
    running_since = sys_monotonic();
}

void pulse_beat(void)
{
    beat(2);
}

void pulse_enter_loading(void)
{
    enter(PULSE_LOADING, 0);
}

void pulse_leave(void)
{
    enter(0, 0);
    if (running == NULL)
        return;
    histogram_note(&running->runs, histogram_runs, sys_monotonic() - running_since);
    running = NULL;
}
