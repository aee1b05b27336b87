/*
 * tunnel: two connections whose bytes are each other's, until both directions ended.
 *
 * Each direction is a relay: it reads only while the other side has taken what came before. An end
 * is handed on as an end once everything before it was taken; a reset as a reset, though one behind
 * an end is found only within seconds. A side for which bytes still wait when it is closed is
 * reset, since they are lost.
 */
#ifndef INTERIM_NET_TUNNEL_H
#define INTERIM_NET_TUNNEL_H

#include "net/conn.h"
#include "net/deadline.h"
#include "net/relay.h"

enum tunnel_end {
    TUNNEL_FINISHED, /* both sides ended */
    TUNNEL_RESET,    /* one side was reset, and so was the other */
    TUNNEL_IDLE      /* for too long no byte was read, and none taken */
};

struct tunnel {
    struct relay relay[2]; /* 0: from the client, 1: from the origin */
    struct deadline *idle; /* lent */
    double patience;
    double last; /* byte read, either way; what is taken, the connections know */
    void (*over)(struct tunnel *t, enum tunnel_end end);
};

/*
 * Takes over both connections' events, not their memory. `early_client` and `early_origin` are
 * bytes already read from them, to be passed on first. `idle` is a clock that its owner has no
 * other use for until the tunnel is over. `over` is called once, from the loop, after which both
 * connections are closed.
 */
void tunnel_open(struct tunnel *t, struct conn *client, struct conn *origin,
                 struct slice early_client, struct slice early_origin, struct deadline *idle,
                 double patience, void (*over)(struct tunnel *t, enum tunnel_end end));

/* Each closes both sides without a call to `over`; an abort resets both. */
void tunnel_close(struct tunnel *t);
void tunnel_abort(struct tunnel *t);

#endif
