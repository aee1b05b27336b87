/*
 * origin_read: the responses of an origin to one request: heads, and the final one's body.
 *
 * Owns the bytes that were read and not yet used. Behind it on a response's way: http/lint,
 * http/response, then proxy/response_way.
 */
#include "proxy/origin_local.h"

#include "base/log.h"
#include "http/lint.h"
#include "proxy/exchange.h"

static struct lint_limits limits_of(const struct origin *o)
{
    const struct limits *l = &o->exchange->settings->limits;
    return (struct lint_limits){l->head, l->head, l->fields};
}

static void broken(struct origin *o, enum trouble trouble, const char *why)
{
    exchange_origin_broken(o->exchange, trouble, why);
}

/* Whatever it said, the address serves requests. */
static void praise(struct origin *o)
{
    if (!upstream_answered(o->upstream, &o->search))
        return;
    origin_stats(o)->rests_until = 0;
    log_info("upstream %s: %s answers again", origin_upstream_name(o), origin_address(o));
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

static void judge(struct origin *o, enum body_event event)
{
    if (event == BODY_BAD)
        broken(o, TROUBLE_BAD_RESPONSE, o->body.why);
    else if (event == BODY_END)
        finish_body(o);
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
    judge(o, event);
    return event == BODY_MORE && input->len > 0;
}

void origin_work(struct origin *o, struct slice *input)
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

void origin_work_on_held(struct origin *o)
{
    struct slice input = buf_slice(&o->in);
    size_t before = input.len;

    origin_work(o, &input);
    if (o->uplink == NULL)
        return;
    buf_consume(&o->in, before - input.len);
    if (buf_len(&o->in) == 0) {
        /* Gathered output may point into it. */
        net_flush(o->uplink->conn.net);
        buf_trim(&o->in);
    }
}

/* No answer to the request. One that came on a pooled connection may not have been seen, and one
 * of which the client still owes a part was not taken. */
static void end_unanswered(struct origin *o, const char *why)
{
    if (o->request_sent && !o->uplink->reused)
        origin_blame(o, HEALTH_SILENT, why);
    broken(o, TROUBLE_CLOSED, why);
}

/* The origin ended its side, or the connection broke. */
static void on_ended(struct origin *o, bool reset)
{
    o->ended = true;
    conn_read_off(&o->uplink->conn);
    if (o->step == ORIGIN_HEAD)
        end_unanswered(o, reset ? "the connection was reset before a complete response head"
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
    struct conn *conn = &o->uplink->conn;
    size_t most = o->step == ORIGIN_BODY ? body_passable(&o->body, conn) : 0;
    struct body_passed passed;

    if (most == 0 || !body_pass(&o->body, conn, client_way(x->client), most, &o->in, &passed))
        return false;
    if (passed.bytes > 0)
        exchange_response_passed(x, passed.bytes);
    if (passed.lost)
        o->response.keep_alive = false;
    if (passed.io == IO_OK) {
        judge(o, passed.event);
    } else if (passed.io != IO_AGAIN) {
        on_ended(o, passed.io == IO_ERR);
    }
    return true;
}

void origin_on_readable(struct conn *conn)
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
        origin_work_on_held(o);
    } else if (io == IO_OK) {
        origin_work(o, &bytes);
        if (o->uplink != NULL && !buf_append_slice(&o->in, bytes))
            broken(o, TROUBLE_BAD_RESPONSE, "no memory for a response");
    }
}
