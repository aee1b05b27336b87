/*
 * deadline: a timer that is re-armed when it fires, not when it is moved.
 */
#include "net/deadline.h"

/* Closer than this, a timer that fired early is on time. */
#define SLACK 0.0005

#define LOOKS 16

static void arm(struct deadline *d)
{
    double after = d->due - d->net->now;

    ev_timer_stop(d->net->loop, &d->timer);
    ev_timer_set(&d->timer, after > 0 ? after : 0, 0);
    ev_timer_start(d->net->loop, &d->timer);
    d->fires = d->due;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct deadline *d = LIST_OWNER(w, struct deadline, timer);
    struct net *net = d->net;
    (void)loop;
    (void)events;

    if (d->due <= 0)
        return;
    if (net->now + SLACK < d->due) {
        arm(d);
        return;
    }
    d->due = 0;
    d->passed(d, w->data);
    if (net->beat != NULL)
        net->beat();
}

void deadline_init(struct deadline *d, struct net *net,
                   void (*passed)(struct deadline *d, void *owner), void *owner)
{
    d->net = net;
    d->due = 0;
    d->fires = 0;
    d->passed = passed;
    ev_timer_init(&d->timer, on_timer, 0, 0);
    d->timer.data = owner;
}

void deadline_set(struct deadline *d, double seconds)
{
    if (seconds <= 0) {
        d->due = 0;
        return;
    }
    d->due = d->net->now + seconds;
    if (!ev_is_active(&d->timer) || d->fires > d->due)
        arm(d);
}

void deadline_set_look(struct deadline *d, double seconds, double whole)
{
    deadline_set(d, seconds < whole / LOOKS ? seconds : whole / LOOKS);
}

void deadline_clear(struct deadline *d)
{
    d->due = 0;
}

bool deadline_is_set(const struct deadline *d)
{
    return d->due > 0;
}

void deadline_stop(struct deadline *d)
{
    d->due = 0;
    ev_timer_stop(d->net->loop, &d->timer);
}
