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
        if (reset)
            conn_reset(t->relay[i].from);
        else
            conn_close(t->relay[i].from);
    }
}

static void finish(struct tunnel *t, enum tunnel_end end)
{
    close_both(t, end == TUNNEL_RESET);
    t->over(t, end);
}

static void finish_if_both_ended(struct tunnel *t)
{
    if (t->relay[0].handed_on && t->relay[1].handed_on)
        finish(t, TUNNEL_FINISHED);
}

static void on_readable(struct conn *c)
{
    struct tunnel *t = c->owner;
    struct relay *r = &t->relay[c == t->relay[0].from ? 0 : 1];

    switch (relay_turn(r)) {
    case RELAY_MOVED:
        t->last = c->net->now;
        break;
    case RELAY_ENDED:
        finish_if_both_ended(t);
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

    t->last = c->net->now;
    relay_drained(&t->relay[c == t->relay[0].to ? 0 : 1]);
    finish_if_both_ended(t);
}

static void on_failed(struct conn *c)
{
    finish(c->owner, TUNNEL_RESET);
}

static void on_idle(struct deadline *d, void *owner)
{
    struct tunnel *t = owner;
    double left = t->last + t->patience - d->net->now;

    if (left > 0)
        deadline_set(d, left);
    else
        finish(t, TUNNEL_IDLE);
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
    deadline_init(idle, client->net, on_idle, t);
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
