/*
 * relay: moves one direction, and stops reading while the receiver is slow. Few bytes at a time are
 * cheapest copied, many are passed from socket to socket in the kernel: what the latest turn found
 * decides how the next is done, so that no byte waits for others.
 */
#include "net/relay.h"

#define BULK_MOST (1u << 20) /* at a time: other connections want their turn */

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

/* Takes what is there, one way or the other. */
static enum io move(struct relay *r)
{
    struct conn_passed passed;
    struct slice bytes;
    enum io io;

    if (r->from->plenty && conn_pass(r->from, r->to, BULK_MOST, &passed)) {
        r->bytes += passed.bytes;
        return passed.io;
    }
    io = conn_read(r->from, &bytes);
    if (io == IO_OK) {
        r->bytes += bytes.len;
        conn_put(r->to, bytes);
    }
    return io;
}

enum relay_event relay_turn(struct relay *r)
{
    if (conn_is_blocked(r->to)) {
        conn_read_off(r->from);
        return RELAY_BLOCKED;
    }
    switch (move(r)) {
    case IO_OK:
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
