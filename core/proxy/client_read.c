/*
 * client_read: requests off one downstream connection, one after the other.
 *
 * Owns the bytes that were read and not yet used. Promises that no byte is used twice, and that no
 * byte left over from a refused request is read as another. Next on a request's way:
 * proxy/exchange.
 */
#include "proxy/client_local.h"

#include "base/log.h"
#include "http/lint.h"
#include "net/proxy_header.h"
#include "proxy/admission.h"
#include "proxy/exchange.h"

#include <assert.h>

/* Heads of one client in one turn of the loop: what it pipelines must not keep others waiting. */
#define HEADS_PER_TURN 16

/* Whether reading more now is of use, and will stay within bounds. */
static bool may_read(struct client *c)
{
    if (c->ended || c->conn.write_failed)
        return false;
    switch (c->step) {
    case CLIENT_PROXY:
    case CLIENT_HEAD:
        return true;
    case CLIENT_LINGER:
        return c->discarded <= client_settings(c)->limits.linger_bytes;
    case CLIENT_BODY:
        /* Whether there is room for more shows when the origin has been sent what there is. */
        net_flush(c->conn.net);
        return exchange_takes_body(c->exchange) || buf_len(&c->in) < CLIENT_HOLD_MAX;
    case CLIENT_WAIT:
        return buf_len(&c->in) < CLIENT_HOLD_MAX;
    case CLIENT_FLUSH:
    case CLIENT_TUNNEL:
    case CLIENT_CLOSED:
        break;
    }
    return false;
}

/* The PROXY header of a trusted peer, or a part of one. False when more bytes are needed. */
static bool take_proxy_header(struct client *c, struct slice *input)
{
    struct addr peer = addr_of_peer(&c->peer);
    char text[ADDR_TEXT_MAX];
    const char *why = "";
    size_t len = 0;

    switch (proxy_header_read(*input, &len, &peer, &why)) {
    case PROXY_HEADER_MORE:
        return false;
    case PROXY_HEADER_BAD:
        log_warning("%s is in trusted_proxies and begins without a good PROXY header (%s); closing",
                    addr_text(&peer, text), why);
        client_close(c);
        return false;
    case PROXY_HEADER_WHOLE:
        break;
    }
    *input = slice_skip(*input, len);
    c->peer = addr_peer(&peer);
    c->step = CLIENT_HEAD;
    if (!c->proxy->draining)
        client_become_idle(c);
    admission_count(c);
    return true;
}

/* The head of a request, or a part of one. False when more bytes are needed. */
static bool take_head(struct client *c, struct slice *input)
{
    const struct limits *l = &client_settings(c)->limits;
    struct lint_limits limits = {l->request_line, l->head, l->fields};
    struct fault fault = fault_none();
    struct exchange *x;
    struct slice head = *input;
    size_t end = 0;
    enum lint_progress progress;

    if (input->len == 0)
        return false;
    progress = lint_find_end(*input, &c->scanned, true, &limits, &end, &fault);
    if (!c->head_begun)
        client_enter(c, &c->proxy->clients);
    if (progress == LINT_MORE) {
        if (!c->head_begun)
            deadline_set(&c->deadline, client_settings(c)->timeouts.header);
        c->head_begun = true;
        return false;
    }
    c->scanned = 0;
    c->head_begun = true;
    c->fresh = false;
    c->requests++;
    deadline_clear(&c->deadline);
    x = exchange_new(c);
    if (x == NULL) {
        log_error("no memory for an exchange; closing the connection");
        client_close(c);
        return false;
    }
    c->exchange = x;
    c->step = CLIENT_WAIT;
    if (progress == LINT_BAD) {
        exchange_begin_fault(x, head, fault);
        return true;
    }
    head.len = end;
    *input = slice_skip(*input, end);
    exchange_begin(x, head);
    return true;
}

static void judge(struct client *c, enum body_event event)
{
    if (event == BODY_BAD) {
        exchange_body_bad(c->exchange);
    } else if (event == BODY_END) {
        c->step = CLIENT_WAIT;
        exchange_body_end(c->exchange);
    }
}

/* Body bytes. False when more are needed, or the exchange cannot take them now. */
static bool take_body(struct client *c, struct slice *input)
{
    struct exchange *x = c->exchange;
    struct slice data[BODY_PIECES];
    size_t count;
    enum body_event event;

    if (input->len == 0 || !exchange_takes_body(x))
        return false;
    event = body_read(&x->request_body, input, data, &count);
    if (count > 0)
        exchange_body(x, data, count);
    else
        exchange_body_begun(x);
    if (c->step != CLIENT_BODY)
        return true;
    judge(c, event);
    return true;
}

static void work(struct client *c, struct slice *input)
{
    bool more = true;
    int heads = 0;

    c->input = input;
    while (more) {
        if (c->step == CLIENT_PROXY)
            more = take_proxy_header(c, input);
        else if (c->step == CLIENT_HEAD && heads++ < HEADS_PER_TURN)
            more = take_head(c, input);
        else if (c->step == CLIENT_BODY)
            more = take_body(c, input);
        else
            more = false;
    }
    c->input = NULL;
    if (c->step == CLIENT_HEAD && heads > HEADS_PER_TURN && input->len > 0)
        client_wait_turn(c);
}

/* After work: what the step means for reading and for the end of the connection. */
void client_settle(struct client *c)
{
    if (c->step == CLIENT_CLOSED || c->step == CLIENT_TUNNEL)
        return;
    if (c->ended && (c->step == CLIENT_HEAD || c->step == CLIENT_PROXY)) {
        client_end_idle(c);
        return;
    }
    /* An answer that has begun is still to be heard (RFC 9112 section 9.5). */
    if (c->ended && c->step == CLIENT_BODY && buf_len(&c->in) == 0 && !c->exchange->begun) {
        client_gone(c);
        return;
    }
    /* What is held may complete the body, or not. */
    if (c->ended && (c->step == CLIENT_WAIT || c->step == CLIENT_BODY))
        exchange_client_ended(c->exchange);
    if (may_read(c))
        conn_read_on(&c->conn);
}

void client_weigh(struct client *c)
{
    bool laden = c->in.size > c->in.max - BODY_BEHIND_MAX;

    if (laden && !c->laden)
        c->proxy->laden++;
    else if (c->laden && !laden)
        c->proxy->laden--;
    c->laden = laden;
}

/* Works on what is held. */
void client_work_on_held(struct client *c)
{
    struct slice input = buf_slice(&c->in);
    size_t before = input.len;

    work(c, &input);
    if (c->step == CLIENT_CLOSED)
        return;
    buf_consume(&c->in, before - input.len);
    if (buf_len(&c->in) == 0) {
        /* Gathered output may point into it. */
        net_flush(c->conn.net);
        buf_trim(&c->in);
        client_weigh(c);
    }
    client_settle(c);
}

static void on_ended(struct client *c)
{
    c->ended = true;
    conn_read_off(&c->conn);
    if (c->step == CLIENT_LINGER)
        client_close(c);
    else
        client_settle(c);
}

/* At the bound it is not closed, only read no more: the reset could still overtake the answer. */
static void discard(struct client *c, size_t n)
{
    c->discarded += n;
    if (!may_read(c))
        conn_read_off(&c->conn);
}

/* Passes body bytes on unread. False: they are to be read. */
static bool pass_body(struct client *c)
{
    struct exchange *x = c->exchange;
    size_t most = c->step == CLIENT_BODY ? body_passable(&x->request_body, &c->conn) : 0;
    struct body_passed passed;

    if (most == 0 ||
        !body_pass(&x->request_body, &c->conn, exchange_way(x, most), most, &c->in, &passed))
        return false;
    if (passed.bytes > 0)
        exchange_body_passed(x, passed.bytes);
    client_weigh(c);
    if (passed.io == IO_OK && !passed.lost) {
        judge(c, passed.event);
    } else if (passed.io == IO_OK || passed.io == IO_ERR) {
        client_gone(c);
    } else if (passed.io == IO_EOF) {
        on_ended(c);
    }
    return true;
}

void client_on_readable(struct conn *conn)
{
    struct client *c = conn->owner;
    struct slice bytes = {NULL, 0};
    /* What a lingering client still held is not looked at again. */
    bool held = buf_len(&c->in) > 0 && c->step != CLIENT_LINGER;
    enum io io;

    assert(c->magic == CLIENT_MAGIC);
    if (!may_read(c)) {
        conn_read_off(conn);
        return;
    }
    if (!held && pass_body(c))
        return;
    io = held ? conn_read_into(conn, &c->in) : conn_read(conn, &bytes);
    if (io == IO_ERR) {
        client_gone(c);
    } else if (io == IO_EOF) {
        on_ended(c);
    } else if (io == IO_OK && c->step == CLIENT_LINGER) {
        discard(c, bytes.len);
    } else if (io == IO_OK && held) {
        client_work_on_held(c);
    } else if (io == IO_OK) {
        work(c, &bytes);
        if (c->step == CLIENT_CLOSED || c->step == CLIENT_LINGER)
            return;
        if (!buf_append_slice(&c->in, bytes))
            client_gone(c);
        else
            client_settle(c);
    }
}
