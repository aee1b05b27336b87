/*
 * tunnel: two relays, one deadline, one end.
 *
 * Promises that no byte is lost that either side sent before its end, and that `over` comes once.
 * The bytes in it are nobody's business: they come after a 101 that http/upgrade has checked.
 */
#include "net/tunnel.h"

#include <string.h>

static void close_both(struct tunnel *t, bool reset)
{
    deadline_stop(t->idle);
    for (int i = 0; i < 2; i++) {
        struct conn *c = t->relay[i].from;

        /* A stream of which the last bytes are lost must not look complete. */
        if (reset || conn_is_blocked(c))
            conn_reset(c);
        else
            conn_close(c);
    }
}

static void finish(struct tunnel *t, enum tunnel_end end)
{
    close_both(t, end == TUNNEL_RESET);
    t->over(t, end);
}

/* The side whose end the other was told of; NULL: neither. */
static const struct conn *ended_side(const struct tunnel *t)
{
    for (int i = 0; i < 2; i++) {
        if (t->relay[i].handed_on)
            return t->relay[i].from;
    }
    return NULL;
}

/* Seconds until it was silent for too long. */
static double seconds_left(struct tunnel *t)
{
    double last = t->last;

    for (int i = 0; i < 2; i++) {
        double taken = conn_last_taken(t->relay[i].to);

        if (taken > last)
            last = taken;
    }
    return last + t->patience - t->idle->net->now;
}

/* Sets the clock, to an earlier time where something shows only when one looks. */
static void watch(struct tunnel *t)
{
    double left = seconds_left(t);

    if (left < 0.001) {
        finish(t, TUNNEL_IDLE);
        return;
    }
    /* While one direction goes on, nothing is wanted of the side that ended: no event tells of its
     * reset. */
    if (ended_side(t) != NULL && left > CONN_GONE_LOOK)
        left = CONN_GONE_LOOK;
    if (conn_has_waiting(t->relay[0].to) || conn_has_waiting(t->relay[1].to))
        deadline_set_look(t->idle, left, t->patience);
    else
        deadline_set(t->idle, left);
}

static void follow_ends(struct tunnel *t)
{
    if (t->relay[0].handed_on && t->relay[1].handed_on)
        finish(t, TUNNEL_FINISHED);
    else if (ended_side(t) != NULL)
        watch(t);
}

static void on_readable(struct conn *c)
{
    struct tunnel *t = c->owner;
    struct relay *r = &t->relay[c == t->relay[0].from ? 0 : 1];

    switch (relay_turn(r)) {
    case RELAY_MOVED:
        t->last = c->net->now;
        if (conn_is_blocked(r->to))
            watch(t);
        break;
    case RELAY_ENDED:
        follow_ends(t);
        break;
    case RELAY_BROKEN:
        finish(t, TUNNEL_RESET);
        break;
    case RELAY_BLOCKED:
    case RELAY_NOTHING:
        break;
    }
}

static void on_drained(struct conn *c)
{
    struct tunnel *t = c->owner;

    relay_drained(&t->relay[c == t->relay[0].to ? 0 : 1]);
    follow_ends(t);
}

static void on_failed(struct conn *c)
{
    finish(c->owner, TUNNEL_RESET);
}

static void on_clock(struct deadline *d, void *owner)
{
    struct tunnel *t = owner;
    const struct conn *ended = ended_side(t);
    (void)d;

    if (ended != NULL && conn_is_gone(ended))
        finish(t, TUNNEL_RESET);
    else
        watch(t);
}

static const struct conn_events tunnel_events = {on_readable, on_drained, on_failed, NULL};

void tunnel_open(struct tunnel *t, struct conn *client, struct conn *origin,
                 struct slice early_client, struct slice early_origin, struct deadline *idle,
                 double patience, void (*over)(struct tunnel *t, enum tunnel_end end))
{
    memset(t, 0, sizeof *t);
    relay_init(&t->relay[0], client, origin);
    relay_init(&t->relay[1], origin, client);
    t->patience = patience;
    t->last = client->net->now;
    t->over = over;
    t->idle = idle;
    deadline_stop(idle);
    deadline_init(idle, client->net, on_clock, t);
    deadline_set(idle, patience);
    conn_own(client, &tunnel_events, t);
    conn_own(origin, &tunnel_events, t);
    relay_early(&t->relay[1], early_origin);
    relay_early(&t->relay[0], early_client);
    conn_read_on(client);
    conn_read_on(origin);
}

void tunnel_close(struct tunnel *t)
{
    close_both(t, false);
}

void tunnel_abort(struct tunnel *t)
{
    close_both(t, true);
}
