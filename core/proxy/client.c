/*
 * client: reads requests off one downstream connection. Their answers are written in
 * client_write.c.
 *
 * Owns the connection, the bytes that were read and not yet used, and the clocks of the moments
 * without an exchange (idle, header, the last flush, lingering). Promises that no byte is used
 * twice, that no byte left over from a refused request is read as another, and that an answer is
 * not lost to a reset. Next on a request's way: proxy/exchange.
 */
#include "proxy/client.h"

#include "base/log.h"
#include "base/sys.h"
#include "http/lint.h"
#include "proxy/admission.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <string.h>

#define CLIENT_MAGIC 0xc11e47u

/* How much is read ahead of an exchange that cannot take it yet: enough to notice that the client
 * left, and to have a small body at hand. */
#define HOLD_MAX 16384

/* For so long, one that was accepted and has said nothing yet may still be about to. */
#define FRESH_SECONDS 1.0

static const struct settings *settings_of(const struct client *c)
{
    return c->proxy->current->settings;
}

static void reap_client(struct doom *d)
{
    struct client *c = LIST_OWNER(d, struct client, doom);
    buf_free(&c->in);
    c->magic = 0;
    sys_free(c);
}

static void close_now(struct client *c)
{
    struct proxy *p = c->proxy;

    assert(c->exchange == NULL);
    if (c->step == CLIENT_CLOSED)
        return;
    c->step = CLIENT_CLOSED;
    deadline_stop(&c->deadline);
    if (conn_has_waiting(&c->conn) || c->conn.write_failed)
        client_cut(c);
    else
        conn_close(&c->conn);
    list_remove(&c->node);
    if (c->counted) {
        struct addr peer = addr_of_peer(&c->peer);
        census_leave(&p->census, &peer);
    }
    p->refusing -= c->refused;
    p->stats->closed++;
    p->stats->open--;
    net_doom(&p->net, &c->doom, reap_client);
    proxy_client_closed(p);
}

/* The client left, or cannot be written to. */
static void gone(struct client *c)
{
    if (c->exchange != NULL)
        exchange_client_gone(c->exchange);
    else
        close_now(c);
}

static void enter(struct client *c, struct list *list)
{
    list_remove(&c->node);
    list_push_back(list, &c->node);
    c->entered = (uint32_t)(c->proxy->net.now * CLIENT_TICKS);
}

static void become_idle(struct client *c)
{
    enter(c, &c->proxy->idle);
    deadline_set(&c->deadline, settings_of(c)->timeouts.idle);
}

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
        return c->discarded <= settings_of(c)->limits.linger_bytes;
    case CLIENT_BODY:
        return exchange_takes_body(c->exchange) || buf_len(&c->in) < HOLD_MAX;
    case CLIENT_WAIT:
        return buf_len(&c->in) < HOLD_MAX;
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
        close_now(c);
        return false;
    case PROXY_HEADER_WHOLE:
        break;
    }
    *input = slice_skip(*input, len);
    c->peer = addr_peer(&peer);
    c->step = CLIENT_HEAD;
    if (!c->proxy->draining)
        become_idle(c);
    admission_count(c);
    return true;
}

/* The head of a request, or a part of one. False when more bytes are needed. */
static bool take_head(struct client *c, struct slice *input)
{
    const struct limits *l = &settings_of(c)->limits;
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
        enter(c, &c->proxy->clients);
    if (progress == LINT_MORE) {
        if (!c->head_begun)
            deadline_set(&c->deadline, settings_of(c)->timeouts.header);
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
        close_now(c);
        return false;
    }
    c->exchange = x;
    c->step = CLIENT_WAIT;
    if (progress == LINT_BAD) {
        exchange_begin_fault(x, fault);
        return true;
    }
    head.len = end;
    *input = slice_skip(*input, end);
    exchange_begin(x, head);
    return true;
}

static void end_body(struct client *c)
{
    c->step = CLIENT_WAIT;
    exchange_body_end(c->exchange);
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
    if (c->step != CLIENT_BODY)
        return true;
    if (event == BODY_BAD) {
        exchange_body_bad(x);
    } else if (event == BODY_END) {
        end_body(c);
    }
    return true;
}

static void work(struct client *c, struct slice *input)
{
    bool more = true;

    c->input = input;
    while (more) {
        if (c->step == CLIENT_PROXY)
            more = take_proxy_header(c, input);
        else if (c->step == CLIENT_HEAD)
            more = take_head(c, input);
        else if (c->step == CLIENT_BODY)
            more = take_body(c, input);
        else
            more = false;
    }
    c->input = NULL;
}

/* The answer is over, but not taken. */
static void flush(struct client *c)
{
    double stall = settings_of(c)->timeouts.stall;

    c->step = CLIENT_FLUSH;
    enter(c, &c->proxy->clients);
    conn_read_off(&c->conn);
    deadline_set_look(&c->deadline, stall, stall);
}

/* Between requests, and there will be no other: closes once everything was taken. */
static void retire(struct client *c)
{
    if (!conn_is_blocked(&c->conn)) {
        close_now(c);
        return;
    }
    c->then = CLIENT_CLOSES;
    flush(c);
}

/* After work: what the step means for reading and for the end of the connection. */
static void settle(struct client *c)
{
    if (c->step == CLIENT_CLOSED || c->step == CLIENT_TUNNEL)
        return;
    if (c->ended && (c->step == CLIENT_HEAD || c->step == CLIENT_PROXY)) {
        retire(c);
        return;
    }
    if (c->ended && c->step == CLIENT_BODY && buf_len(&c->in) == 0) {
        gone(c);
        return;
    }
    /* What is held may complete the body, or not. */
    if (c->ended && (c->step == CLIENT_WAIT || c->step == CLIENT_BODY))
        exchange_client_ended(c->exchange);
    if (may_read(c))
        conn_read_on(&c->conn);
}

/* Works on what is held. */
static void work_on_held(struct client *c)
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
    }
    settle(c);
}

static void on_ended(struct client *c)
{
    c->ended = true;
    conn_read_off(&c->conn);
    if (c->step == CLIENT_LINGER)
        close_now(c);
    else
        settle(c);
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
    struct conn *to = c->step == CLIENT_BODY ? exchange_pass(x) : NULL;
    size_t most = to != NULL ? body_passable(&x->request_body, to->net) : 0;
    struct conn_passed passed;
    enum body_event event;

    if (most == 0 || !conn_pass(&c->conn, to, most, &passed))
        return false;
    if (passed.io == IO_OK) {
        event = body_passed(&x->request_body, passed.bytes);
        exchange_body_passed(x, passed.bytes);
        if (event == BODY_END)
            end_body(c);
    } else if (passed.io == IO_ERR) {
        gone(c);
    } else if (passed.io == IO_EOF) {
        on_ended(c);
    }
    return true;
}

static void on_readable(struct conn *conn)
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
        gone(c);
    } else if (io == IO_EOF) {
        on_ended(c);
    } else if (io == IO_OK && c->step == CLIENT_LINGER) {
        discard(c, bytes.len);
    } else if (io == IO_OK && held) {
        work_on_held(c);
    } else if (io == IO_OK) {
        work(c, &bytes);
        if (c->step == CLIENT_CLOSED || c->step == CLIENT_LINGER)
            return;
        if (!buf_append_slice(&c->in, bytes))
            gone(c);
        else
            settle(c);
    }
}

static void linger(struct client *c)
{
    conn_end(&c->conn);
    c->step = CLIENT_LINGER;
    c->discarded = 0;
    deadline_set(&c->deadline, settings_of(c)->timeouts.linger);
    conn_read_on(&c->conn);
}

/* The answer is out of our hands: the next request, or the end. */
static void after_flush(struct client *c)
{
    if (c->then == CLIENT_KEEPS) {
        c->step = CLIENT_HEAD;
        c->scanned = 0;
        c->head_begun = false;
        become_idle(c);
        admission_review(c->proxy);
        if (c->input == NULL && buf_len(&c->in) > 0)
            work_on_held(c);
        else if (c->input == NULL)
            settle(c);
    } else if (c->ended || (c->then == CLIENT_PARTS && !client_has_input(c))) {
        close_now(c);
    } else {
        linger(c);
    }
}

static void on_drained(struct conn *conn)
{
    struct client *c = conn->owner;

    if (c->step == CLIENT_FLUSH)
        after_flush(c);
    else if (c->exchange != NULL)
        exchange_client_drained(c->exchange);
}

static void on_failed(struct conn *conn)
{
    gone(conn->owner);
}

static const struct conn_events client_events = {on_readable, on_drained, on_failed, NULL};

/* Between requests, in a drain, flushing or lingering: not all of them are timeouts. */
static void count_timeout(struct client *c)
{
    if (c->step == CLIENT_FLUSH)
        c->proxy->stats->timeouts_stall++;
    else if (c->step == CLIENT_PROXY && !c->proxy->draining)
        c->proxy->stats->timeouts_header++;
    else if (c->step == CLIENT_HEAD && !c->proxy->draining)
        c->proxy->stats->timeouts_idle++;
}

/* The last bytes of an answer are on their way as long as the peer takes some. */
static bool still_flushing(struct client *c)
{
    double stall = settings_of(c)->timeouts.stall;
    double left = conn_last_taken(&c->conn) + stall - c->proxy->net.now;

    if (left > 0.001)
        deadline_set_look(&c->deadline, left, stall);
    return left > 0.001;
}

/* What comes, or came, is no request that can be read. */
static void answer_fault(struct client *c, struct fault fault)
{
    struct exchange *x = exchange_new(c);

    if (x == NULL) {
        close_now(c);
        return;
    }
    c->exchange = x;
    c->step = CLIENT_WAIT;
    exchange_begin_fault(x, fault);
}

static void on_deadline(struct deadline *d, void *owner)
{
    struct client *c = owner;
    (void)d;

    assert(c->magic == CLIENT_MAGIC);
    if (c->step == CLIENT_FLUSH && still_flushing(c))
        return;
    if (c->step != CLIENT_HEAD || !c->head_begun) {
        count_timeout(c);
        close_now(c);
        return;
    }
    c->proxy->stats->timeouts_header++;
    answer_fault(c, fault_of(408, "the request head took too long"));
}

struct client *client_open(struct proxy *p, int fd, const struct addr *peer)
{
    struct client *c = sys_calloc(1, sizeof *c);

    if (c == NULL) {
        sys_close(fd);
        return NULL;
    }
    c->magic = CLIENT_MAGIC;
    c->proxy = p;
    c->peer = addr_peer(peer);
    c->step = CLIENT_HEAD;
    c->fresh = true;
    /* A head, and one read's worth behind it that nobody takes yet. */
    buf_init(&c->in, p->current->settings->limits.head + HOLD_MAX + NET_READ_SIZE);
    conn_open(&c->conn, &p->net, fd, &client_events, c);
    deadline_init(&c->deadline, &p->net, on_deadline, c);
    list_init(&c->node);
    become_idle(c);
    if (p->current->settings->proxy_protocol && settings_trusts(p->current->settings, peer)) {
        c->step = CLIENT_PROXY;
        deadline_set(&c->deadline, settings_of(c)->timeouts.header);
    }
    p->stats->accepted++;
    p->stats->open++;
    conn_read_on(&c->conn);
    return c;
}

void client_refuse(struct client *c, struct fault fault)
{
    assert(c->fresh && c->exchange == NULL);
    c->refused = true;
    c->proxy->refusing++;
    enter(c, &c->proxy->clients);
    answer_fault(c, fault);
}

void client_reset(struct client *c)
{
    conn_reset(&c->conn);
    close_now(c);
}

struct client *client_that_yields(const struct proxy *p)
{
    for (struct list *n = p->idle.next; n != &p->idle; n = n->next) {
        struct client *c = LIST_OWNER(n, struct client, node);
        bool busy = conn_has_news(&c->conn); /* a request came in this same turn of the loop */
        if (!busy && (!c->fresh || p->net.now - client_entered(c) > FRESH_SECONDS))
            return c;
    }
    return NULL;
}

void client_retire(struct client *c)
{
    assert(c->step == CLIENT_PROXY || (c->step == CLIENT_HEAD && !c->head_begun));
    /* One that was only just accepted has a request on its way. */
    if (c->fresh)
        deadline_set(&c->deadline, settings_of(c)->timeouts.linger);
    else
        retire(c);
}

void client_kill(struct client *c)
{
    if (c->exchange != NULL)
        exchange_client_gone(c->exchange);
    if (c->step != CLIENT_CLOSED)
        close_now(c);
}

bool client_has_input(const struct client *c)
{
    return c->input != NULL ? c->input->len > 0 : buf_len(&c->in) > 0;
}

void client_resume(struct client *c)
{
    if (c->input != NULL || c->step == CLIENT_CLOSED)
        return;
    if (buf_len(&c->in) > 0)
        work_on_held(c);
    else
        settle(c);
}

void client_over(struct client *c, enum client_then then)
{
    bool whole = c->step == CLIENT_WAIT;
    bool waits;

    c->exchange = NULL;
    if (c->step == CLIENT_CLOSED)
        return;
    if (then == CLIENT_KEEPS && !whole)
        then = CLIENT_CLOSES;
    c->then = then;
    /* A connection that closes is flushed first; one that goes on may gather several answers. */
    waits = conn_has_waiting(&c->conn) || (c->then != CLIENT_KEEPS && conn_is_blocked(&c->conn));
    if (c->step == CLIENT_TUNNEL || c->conn.fd < 0 || c->conn.write_failed) {
        close_now(c);
    } else if (waits) {
        flush(c);
    } else {
        after_flush(c);
    }
}
