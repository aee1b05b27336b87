/*
 * origin: writes one request to an origin and reads its responses.
 *
 * Owns the connection while the exchange needs it. Promises that a connection goes back to the pool
 * only if both messages ended cleanly and nothing was left over. Before it on a request's way:
 * net/upstream; behind it: http/lint, http/response, then proxy/response_way.
 */
#include "proxy/origin.h"

#include "base/log.h"
#include "http/lint.h"
#include "proxy/exchange.h"

#include <errno.h>
#include <string.h>

/* One read's worth that the client cannot take yet, behind an incomplete head. */
#define IN_EXTRA NET_READ_SIZE

static struct lint_limits limits_of(const struct origin *o)
{
    const struct limits *l = &o->exchange->settings->limits;
    return (struct lint_limits){l->head, l->head, l->fields};
}

static void broken(struct origin *o, enum trouble trouble, const char *why)
{
    exchange_origin_broken(o->exchange, trouble, why);
}

static const char *upstream_name(const struct origin *o)
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

/* Whatever it said, the address serves requests. */
static void praise(struct origin *o)
{
    if (!upstream_answered(o->upstream, &o->search))
        return;
    origin_stats(o)->rests_until = 0;
    log_info("upstream %s: %s answers again", upstream_name(o), origin_address(o));
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
    log_warning("upstream %s: %s failed: %s; trying others first for %g s", upstream_name(o),
                origin_address(o), why, rest);
}

/* A response head, or a part of one. False when more bytes are needed. */
static bool take_head(struct origin *o, struct slice *input)
{
    struct exchange *x = o->exchange;
    struct lint_limits limits = limits_of(o);
    struct arena_mark mark = arena_mark(&x->arena);
    struct fault fault = fault_none();
    struct slice head = *input;
    bool disagreed = false;
    size_t end = 0;

    if (input->len == 0)
        return false;
    o->spoke = true;
    switch (lint_find_end(*input, &o->scanned, false, &limits, &end, &fault)) {
    case LINT_MORE:
        return false;
    case LINT_BAD:
        broken(o, TROUBLE_BAD_RESPONSE, fault.why);
        return false;
    case LINT_COMPLETE:
        break;
    }
    o->scanned = 0;
    head.len = end;
    *input = slice_skip(*input, end);
    head = arena_copy(&x->arena, head);
    if (head.at == NULL)
        fault = fault_of(502, "no memory for a response head");
    else
        fault =
            response_read(&o->response, &x->arena, head, x->request.is_head, &limits, &disagreed);
    if (disagreed)
        x->proxy->stats->disagreements++;
    if (fault_is(fault)) {
        broken(o, TROUBLE_BAD_RESPONSE, fault.why);
        return true;
    }
    praise(o);
    if (o->response.head.status == 101) {
        o->step = ORIGIN_HELD;
        exchange_switching(x, end);
    } else if (o->response.head.status < 200) {
        exchange_interim(x, end);
        if (o->step == ORIGIN_HEAD)
            arena_release(&x->arena, mark);
    } else {
        o->step = ORIGIN_HELD;
        body_reader_init(&o->body, o->response.framing);
        exchange_final(x);
    }
    return true;
}

static void finish_body(struct origin *o)
{
    o->step = ORIGIN_DONE;
    exchange_response_end(o->exchange);
}

static bool take_body(struct origin *o, struct slice *input)
{
    struct slice data[BODY_PIECES];
    size_t count;
    enum body_event event = body_read(&o->body, input, data, &count);

    if (count > 0)
        exchange_response_body(o->exchange, data, count);
    if (o->step != ORIGIN_BODY)
        return false;
    if (event == BODY_BAD) {
        broken(o, TROUBLE_BAD_RESPONSE, o->body.why);
        return false;
    }
    if (event == BODY_END) {
        finish_body(o);
        return false;
    }
    return input->len > 0;
}

static void work(struct origin *o, struct slice *input)
{
    bool more = true;

    o->input = input;
    while (more) {
        if (o->step == ORIGIN_HEAD)
            more = take_head(o, input);
        else if (o->step == ORIGIN_BODY)
            more = take_body(o, input);
        else
            more = false;
    }
    o->input = NULL;
}

static void work_on_held(struct origin *o)
{
    struct slice input = buf_slice(&o->in);
    size_t before = input.len;

    work(o, &input);
    if (o->uplink == NULL)
        return;
    buf_consume(&o->in, before - input.len);
    if (buf_len(&o->in) == 0) {
        /* Gathered output may point into it. */
        net_flush(o->uplink->conn.net);
        buf_trim(&o->in);
    }
}

/* The origin ended its side, or the connection broke. */
static void on_ended(struct origin *o, bool reset)
{
    o->ended = true;
    conn_read_off(&o->uplink->conn);
    if (o->step == ORIGIN_HEAD)
        broken(o, TROUBLE_CLOSED,
               reset ? "the connection was reset before a complete response head"
                     : "the connection was closed before a complete response head");
    else if (o->step == ORIGIN_BODY && o->body.kind == FRAMING_CLOSE && !reset)
        finish_body(o);
    else if (o->step == ORIGIN_BODY)
        broken(o, TROUBLE_CLOSED, "the response body broke off");
}

/* Passes body bytes on unread. False: they are to be read. */
static bool pass_body(struct origin *o)
{
    struct exchange *x = o->exchange;
    struct conn *to = o->step == ORIGIN_BODY ? client_pass(x->client) : NULL;
    size_t most = to != NULL ? body_passable(&o->body, to->net) : 0;
    struct conn_passed passed;
    enum body_event event;

    if (most == 0 || !conn_pass(&o->uplink->conn, to, most, &passed))
        return false;
    if (passed.io == IO_OK) {
        event = body_passed(&o->body, passed.bytes);
        exchange_response_passed(x, passed.bytes);
        if (event == BODY_END)
            finish_body(o);
    } else if (passed.io != IO_AGAIN) {
        on_ended(o, passed.io == IO_ERR);
    }
    return true;
}

static void on_readable(struct conn *conn)
{
    struct origin *o = conn->owner;
    struct exchange *x = o->exchange;
    struct slice bytes = {NULL, 0};
    bool held = buf_len(&o->in) > 0;
    enum io io;

    if ((o->step != ORIGIN_HEAD && o->step != ORIGIN_BODY) || client_is_blocked(x->client)) {
        conn_read_off(conn);
        return;
    }
    if (!held && pass_body(o))
        return;
    io = held ? conn_read_into(conn, &o->in) : conn_read(conn, &bytes);
    if (io == IO_EOF || io == IO_ERR) {
        on_ended(o, io == IO_ERR);
    } else if (io == IO_OK && held) {
        work_on_held(o);
    } else if (io == IO_OK) {
        work(o, &bytes);
        if (o->uplink != NULL && !buf_append_slice(&o->in, bytes))
            broken(o, TROUBLE_BAD_RESPONSE, "no memory for a response");
    }
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

static const struct conn_events origin_events = {on_readable, on_drained, on_failed, on_connected};

/* The next address. False when none is left. */
static bool seek_on(struct origin *o, bool fresh)
{
    struct stats *stats = o->exchange->proxy->stats;

    while (o->search.tried < o->upstream->count) {
        o->uplink = upstream_next(o->upstream, &o->search, fresh, &origin_events, o);
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

static void on_connected(struct conn *conn, int error)
{
    struct origin *o = conn->owner;

    if (error == 0) {
        o->step = ORIGIN_HEAD;
        conn_read_on(conn);
        exchange_origin_ready(o->exchange);
        return;
    }
    note_failure(o, error);
    pool_discard(o->uplink);
    o->uplink = NULL;
    o->step = ORIGIN_NONE;
    if (!seek_on(o, true))
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

bool origin_seek(struct origin *o, struct upstream *upstream, bool fresh)
{
    o->upstream = upstream;
    o->search = (struct upstream_search){0};
    o->scanned = 0;
    o->spoke = false;
    o->ended = false;
    o->request_sent = false;
    buf_clear(&o->in);
    return seek_on(o, fresh);
}

bool origin_is_ready(const struct origin *o)
{
    return o->step == ORIGIN_HEAD;
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

struct conn *origin_pass(struct origin *o)
{
    return o->uplink != NULL && o->writing == FRAMING_LENGTH ? &o->uplink->conn : NULL;
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
        work_on_held(o);
    else if (o->step == ORIGIN_BODY)
        work(o, &none); /* a body of no bytes ends without another event */
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
