/*
 * origin: finds a connection to an origin, writes one request on it, and lets go of it. The
 * responses are read in origin_read.c.
 *
 * Owns the connection while the exchange needs it. Promises that a connection goes back to the pool
 * only if both messages ended cleanly and nothing was left over. Before it on a request's way:
 * net/upstream; behind it: origin_read.
 */
#include "proxy/origin_local.h"

#include "base/log.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* One read's worth that the client cannot take yet, behind an incomplete head. */
#define IN_EXTRA NET_READ_SIZE

const char *origin_upstream_name(const struct origin *o)
{
    const struct exchange *x = o->exchange;
    return x->settings->upstreams[x->view.upstream].name;
}

struct origin_stats *origin_stats(const struct origin *o)
{
    const struct generation *g = o->exchange->generation;
    size_t upstream = (size_t)(o->upstream - g->upstreams);
    return g->origins[g->settings->upstreams[upstream].first + o->search.index];
}

void origin_blame(struct origin *o, enum health_failure failure, const char *why)
{
    double rest;

    /* There is no other to be tried first. */
    if (o->upstream->count == 1)
        return;
    rest = upstream_failed(o->upstream, &o->search, failure);
    if (rest <= 0)
        return;
    o->exchange->proxy->stats->upstream_rests++;
    origin_stats(o)->rests++;
    origin_stats(o)->rests_until = o->exchange->proxy->net.now + rest;
    log_warning("upstream %s: %s failed: %s; trying others first for %g s", origin_upstream_name(o),
                origin_address(o), why, rest);
}

static void on_drained(struct conn *conn)
{
    struct origin *o = conn->owner;
    exchange_origin_drained(o->exchange);
}

static void on_failed(struct conn *conn)
{
    struct origin *o = conn->owner;
    exchange_origin_deaf(o->exchange);
}

/* Short of something here: no fault of the origin's. */
static bool is_our_own(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
           error == EADDRNOTAVAIL;
}

static void note_failure(struct origin *o, int error)
{
    struct exchange *x = o->exchange;

    if (!is_our_own(error))
        origin_blame(o, HEALTH_UNREACHED, strerror(error));
    o->search.error = error;
    o->tried = arena_printf(&x->arena, "%.*s%s%s (%s)", SLICE_ARG(o->tried),
                            o->tried.len > 0 ? ", " : "", origin_address(o), strerror(error));
    x->proxy->stats->upstream_failures++;
    origin_stats(o)->failures++;
}

static void on_connected(struct conn *conn, int error);

static const struct conn_events origin_events = {origin_on_readable, on_drained, on_failed,
                                                 on_connected};

/* The next address. False when none is left. */
static bool seek_on(struct origin *o)
{
    struct stats *stats = o->exchange->proxy->stats;

    while (o->search.tried < o->upstream->count) {
        o->uplink = upstream_next(o->upstream, &o->search, &origin_events, o);
        if (o->uplink == NULL) {
            note_failure(o, o->search.error);
            continue;
        }
        o->step = o->uplink->conn.connecting ? ORIGIN_CONNECTING : ORIGIN_HEAD;
        if (o->step == ORIGIN_CONNECTING) {
            stats->upstream_connects++;
            origin_stats(o)->connects++;
        } else {
            stats->upstream_reused++;
        }
        return true;
    }
    return false;
}

/* The connection is not made: on to the next address. False when none is left. */
static bool give_up(struct origin *o, int error)
{
    note_failure(o, error);
    pool_discard(o->uplink);
    o->uplink = NULL;
    o->step = ORIGIN_NONE;
    o->search.fresh = true;
    return seek_on(o);
}

static void on_connected(struct conn *conn, int error)
{
    struct origin *o = conn->owner;

    if (error == 0) {
        o->step = ORIGIN_HEAD;
        conn_read_on(conn);
        exchange_origin_ready(o->exchange);
        return;
    }
    if (give_up(o, error))
        exchange_wait_origin(o->exchange, WAIT_CONNECT);
    else
        exchange_origin_unreachable(o->exchange);
}

void origin_init(struct origin *o, struct exchange *x)
{
    memset(o, 0, sizeof *o);
    o->exchange = x;
    buf_init(&o->in, x->settings->limits.head + IN_EXTRA);
    body_reader_init(&o->body, (struct framing){FRAMING_NONE, 0});
}

void origin_free(struct origin *o)
{
    origin_drop(o);
    buf_free(&o->in);
    body_reader_free(&o->body);
}

bool origin_seek(struct origin *o, struct upstream *upstream, bool fresh, bool once)
{
    o->upstream = upstream;
    o->search = (struct upstream_search){.fresh = fresh, .once = once};
    o->scanned = 0;
    o->spoke = false;
    o->ended = false;
    o->request_sent = false;
    buf_clear(&o->in);
    return seek_on(o);
}

size_t origin_untried(const struct origin *o)
{
    return o->upstream->count - o->search.tried;
}

bool origin_pass_over(struct origin *o)
{
    assert(o->step == ORIGIN_CONNECTING);
    return give_up(o, ETIMEDOUT);
}

bool origin_is_ready(const struct origin *o)
{
    return o->step == ORIGIN_HEAD;
}

bool origin_has_waiting(const struct origin *o)
{
    return o->uplink != NULL && conn_has_waiting(&o->uplink->conn);
}

bool origin_is_blocked(struct origin *o)
{
    return o->uplink != NULL && conn_is_blocked(&o->uplink->conn);
}

void origin_preface(struct origin *o, struct slice bytes)
{
    conn_put_copy(&o->uplink->conn, bytes);
}

bool origin_head(struct origin *o, const struct rewrite_request *r)
{
    struct conn *c = &o->uplink->conn;
    struct buf *out = &c->net->head;

    buf_clear(out);
    if (!rewrite_request(out, r))
        return false;
    o->writing = r->framing.kind;
    origin_stats(o)->requests++;
    conn_put_copy(c, buf_slice(out));
    return true;
}

void origin_body(struct origin *o, const struct slice *data, size_t count)
{
    if (o->uplink != NULL)
        body_write(&o->uplink->conn, o->writing, data, count);
}

void origin_end(struct origin *o, struct slice trailers)
{
    o->request_sent = true;
    if (o->uplink != NULL)
        body_write_end(&o->uplink->conn, o->writing, trailers);
}

struct body_way origin_way(struct origin *o)
{
    return (struct body_way){o->uplink != NULL ? &o->uplink->conn : NULL, o->writing};
}

void origin_accept(struct origin *o)
{
    if (o->step != ORIGIN_HELD)
        return;
    o->step = ORIGIN_BODY;
    origin_resume(o);
}

void origin_resume(struct origin *o)
{
    struct slice none = {NULL, 0};

    if (o->uplink == NULL || o->input != NULL)
        return;
    if (o->step != ORIGIN_HEAD && o->step != ORIGIN_BODY)
        return;
    if (buf_len(&o->in) > 0)
        origin_work_on_held(o);
    else if (o->step == ORIGIN_BODY)
        origin_work(o, &none); /* a body of no bytes ends without another event */
    if (o->uplink != NULL && !o->ended && (o->step == ORIGIN_HEAD || o->step == ORIGIN_BODY))
        conn_read_on(&o->uplink->conn);
}

void origin_release(struct origin *o)
{
    bool extra = o->input != NULL ? o->input->len > 0 : buf_len(&o->in) > 0;

    if (o->uplink != NULL && o->step == ORIGIN_DONE && o->request_sent && !o->ended && !extra &&
        o->response.keep_alive) {
        pool_give(o->uplink);
        o->uplink = NULL;
    }
    origin_drop(o);
}

void origin_drop(struct origin *o)
{
    if (o->uplink != NULL)
        pool_discard(o->uplink);
    o->uplink = NULL;
    o->step = ORIGIN_NONE;
}

struct uplink *origin_take(struct origin *o)
{
    struct uplink *u = o->uplink;

    o->uplink = NULL;
    o->step = ORIGIN_NONE;
    return u;
}

struct slice origin_take_early(struct origin *o)
{
    struct slice early = *o->input;

    *o->input = slice_skip(early, early.len);
    return early;
}

const char *origin_address(const struct origin *o)
{
    if (o->upstream == NULL || o->search.tried == 0)
        return "";
    return o->upstream->addresses[o->search.index].text;
}
