/*
 * heartbeat: looks, and kills. Promises that a worker which sleeps for want of work is left alone
 * for any length of time, and that a parent which was itself held up blames nobody for it.
 */
#include "process/heartbeat.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>

/* What it wrote is only believed as far as it can do no harm. */
static const char *where(const struct pulse *pulse, char text[96])
{
    unsigned doing = atomic_load_explicit(&pulse->doing, memory_order_relaxed);
    uint64_t request = atomic_load_explicit(&pulse->request, memory_order_relaxed);
    text[0] = '\0';
    if (doing >= 1 && doing <= HOOK_COUNT)
        snprintf(text, 96, " in the %s hook of request %016llx",
                 policy_hook_name((enum policy_hook)(doing - 1)), (unsigned long long)request);
    return text;
}

static bool has_work(const struct crew_worker *worker, const struct pulse *pulse, uint32_t beat)
{
    if (worker->stopped)
        return true;
    return beat % 2 == 1 &&
           atomic_load_explicit(&pulse->doing, memory_order_relaxed) != PULSE_LOADING;
}

static void look(struct heartbeat_look *last, struct crew_worker *worker)
{
    const struct pulse *pulse = &worker->crew->slots[worker->number - 1].pulse;
    uint32_t beat = atomic_load_explicit(&pulse->beat, memory_order_acquire);
    bool same = last->pid == worker->pid && last->beat == beat;
    char text[96];
    last->pid = worker->pid;
    last->beat = beat;
    if (!same || !has_work(worker, pulse, beat)) {
        last->still = 0;
        return;
    }
    if (++last->still != HEARTBEAT_LOOKS)
        return;
    log_error("worker %u (pid %d) has %s for %g s%s; killing it", worker->number, (int)worker->pid,
              worker->stopped ? "been stopped" : "stood still", HEARTBEAT_SECONDS * HEARTBEAT_LOOKS,
              where(pulse, text));
    crew_kill(worker);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct heartbeat *h = timer->data;
    (void)events;
    for (unsigned i = 0; i < CREW_MAX; i++) {
        struct crew_worker *worker = &h->crew->workers[i];
        /* One that starts has a limit of its own. */
        if (worker->state == CREW_WORKING || worker->state == CREW_LEAVING)
            look(&h->last[i], worker);
        else
            h->last[i].pid = 0;
    }
    /* Anew, not by repetition: had this process been held up, two looks could follow at once. */
    ev_timer_set(timer, HEARTBEAT_SECONDS, 0);
    ev_timer_start(loop, timer);
}

void heartbeat_start(struct heartbeat *h, struct crew *crew)
{
    *h = (struct heartbeat){.crew = crew};
    ev_timer_init(&h->timer, on_timer, HEARTBEAT_SECONDS, 0);
    h->timer.data = h;
    ev_timer_start(crew->loop, &h->timer);
}

void heartbeat_stop(struct heartbeat *h)
{
    if (h->crew != NULL)
        ev_timer_stop(h->crew->loop, &h->timer);
}
