/*
 * relay: moves one direction, and stops reading while the receiver is slow.
 */
#include "net/relay.h"

static void hand_on_end(struct relay *r)
{
    if (r->ended && !r->handed_on && !conn_is_blocked(r->to)) {
        r->handed_on = true;
        conn_end(r->to);
    }
}

void relay_init(struct relay *r, struct conn *from, struct conn *to)
{
    *r = (struct relay){.from = from, .to = to};
}

void relay_early(struct relay *r, struct slice bytes)
{
    r->bytes += bytes.len;
    conn_put_copy(r->to, bytes);
}

enum relay_event relay_turn(struct relay *r)
{
    struct slice bytes;

    if (conn_is_blocked(r->to)) {
        conn_read_off(r->from);
        return RELAY_BLOCKED;
    }
    switch (conn_read(r->from, &bytes)) {
    case IO_OK:
        r->bytes += bytes.len;
        conn_put(r->to, bytes);
        return RELAY_MOVED;
    case IO_AGAIN:
        return RELAY_NOTHING;
    case IO_EOF:
        r->ended = true;
        conn_read_off(r->from);
        hand_on_end(r);
        return RELAY_ENDED;
    case IO_ERR:
        break;
    }
    return RELAY_BROKEN;
}

void relay_drained(struct relay *r)
{
    if (r->ended)
        hand_on_end(r);
    else
        conn_read_on(r->from);
}
