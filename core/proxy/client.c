/*
 * client: the life of one downstream connection: accepted, idle, flushed, lingering, closed. What
 * it sends is read in client_read.c, what it is told written in client_write.c.
 *
 * Owns the connection and the clocks of the moments without an exchange (idle, header, the last
 * flush, lingering). Promises that an answer is not lost to a reset, and that what was not taken
 * whole does not look complete. Next on a request's way: client_read.
 */
#include "proxy/client_local.h"

#include "base/log.h"
#include "base/sys.h"
#include "proxy/admission.h"
#include "proxy/exchange.h"
#include "proxy/passage.h"

#include <assert.h>
#include <string.h>

/* For so long, one that was accepted and has said nothing yet may still be about to. */
#define FRESH_SECONDS 1.0

/* How many idle clients are looked at for one that yields. */
#define LOOKS_MAX 64

#define CLIENT_TICKS 16 /* a second; see client_entered */

static void reap_client(struct doom *d)
{
    struct client *c = LIST_OWNER(d, struct client, doom);
    buf_free(&c->in);
    c->magic = 0;
    sys_free(c);
}

void client_close(struct client *c)
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
    p->laden -= c->laden;
    p->stats->closed++;
    p->stats->open--;
    net_doom(&p->net, &c->doom, reap_client);
    proxy_client_closed(p);
}

/* The client left, or cannot be written to. */
void client_gone(struct client *c)
{
    if (c->exchange != NULL)
        exchange_client_gone(c->exchange);
    else
        client_close(c);
}

/* The clock of a machine that runs for years has more of them than fit. */
static uint32_t ticks_of(double seconds)
{
    return (uint32_t)(uint64_t)(seconds * CLIENT_TICKS);
}

double client_entered(const struct client *c)
{
    double now = c->proxy->net.now;
    return now - (double)(ticks_of(now) - c->entered) / CLIENT_TICKS;
}

void client_enter(struct client *c, struct list *list)
{
    list_remove(&c->node);
    list_push_back(list, &c->node);
    c->entered = ticks_of(c->proxy->net.now);
}

void client_become_idle(struct client *c)
{
    client_enter(c, &c->proxy->idle);
    deadline_set(&c->deadline, client_settings(c)->timeouts.idle);
}

/* The answer is over; `then` comes once all of it is taken. */
static void flush(struct client *c)
{
    double stall = client_settings(c)->timeouts.stall;

    c->step = CLIENT_FLUSH;
    client_enter(c, &c->proxy->clients);
    conn_read_off(&c->conn);
    deadline_set_look(&c->deadline, stall, stall);
}

/* Between requests, and there will be no other: closes once everything was taken. */
void client_end_idle(struct client *c)
{
    if (!conn_is_blocked(&c->conn)) {
        client_close(c);
        return;
    }
    c->then = CLIENT_CLOSES;
    flush(c);
}

void client_wait_turn(struct client *c)
{
    c->then = CLIENT_KEEPS;
    flush(c);
    conn_want_turn(&c->conn);
}

static void linger(struct client *c)
{
    conn_end(&c->conn);
    c->step = CLIENT_LINGER;
    c->discarded = 0;
    deadline_set(&c->deadline, client_settings(c)->timeouts.linger);
    conn_read_on(&c->conn);
}

/* The answer is out of our hands: the next request, or the end. */
static void after_flush(struct client *c)
{
    if (c->then == CLIENT_KEEPS) {
        c->step = CLIENT_HEAD;
        c->scanned = 0;
        c->head_begun = false;
        client_become_idle(c);
        if (!client_has_input(c))
            admission_review(c->proxy);
        if (c->input == NULL && buf_len(&c->in) > 0)
            client_work_on_held(c);
        else if (c->input == NULL && c->proxy->draining)
            client_end_idle(c);
        else if (c->input == NULL)
            client_settle(c);
    } else if (c->ended || (c->then == CLIENT_PARTS && !client_has_sent(c))) {
        client_close(c);
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
    else
        admission_review(c->proxy); /* one that is idle can make room only now */
}

static void on_failed(struct conn *conn)
{
    client_gone(conn->owner);
}

static const struct conn_events client_events = {client_on_readable, on_drained, on_failed, NULL};

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
    double stall = client_settings(c)->timeouts.stall;
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
        client_close(c);
        return;
    }
    c->exchange = x;
    c->step = CLIENT_WAIT;
    exchange_begin_fault(x, buf_slice(&c->in), fault);
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
        /* The tail of its last answer may still be on its way. */
        if (c->step == CLIENT_HEAD)
            client_end_idle(c);
        else
            client_close(c);
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
    /* A head, and one read's worth behind it that nobody takes yet; or what came behind chunks. */
    buf_init(&c->in,
             p->current->settings->limits.head + CLIENT_HOLD_MAX + NET_READ_SIZE + BODY_BEHIND_MAX);
    conn_open(&c->conn, &p->net, fd, &client_events, c);
    deadline_init(&c->deadline, &p->net, on_deadline, c);
    list_init(&c->node);
    client_become_idle(c);
    if (p->current->settings->proxy_protocol && settings_trusts(p->current->settings, peer)) {
        c->step = CLIENT_PROXY;
        deadline_set(&c->deadline, client_settings(c)->timeouts.header);
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
    client_enter(c, &c->proxy->clients);
    answer_fault(c, fault);
}

void client_reset(struct client *c)
{
    conn_reset(&c->conn);
    client_close(c);
}

struct client *client_that_yields(struct proxy *p)
{
    struct list *n = p->idle.next;

    /* A flood of new ones must not make each look long; accepting tries again in a moment. */
    for (int looks = 0; n != &p->idle && looks < LOOKS_MAX;) {
        struct client *c = LIST_OWNER(n, struct client, node);
        n = n->next;
        if (conn_is_blocked(&c->conn)) {
            /* Not idle before it has taken its last answer. Met but once, this is no look. */
            c->then = CLIENT_KEEPS;
            flush(c);
            continue;
        }
        looks++;
        /* One of which the loop has news has sent a request in this same turn. */
        if (!conn_has_news(&c->conn) &&
            (!c->fresh || p->net.now - client_entered(c) > FRESH_SECONDS))
            return c;
    }
    return NULL;
}

void client_retire(struct client *c)
{
    assert(c->step == CLIENT_PROXY || (c->step == CLIENT_HEAD && !c->head_begun));
    /* One that was only just accepted has a request on its way, another may have sent one already:
     * to close over it would be a reset. The answer says that it is the last. */
    if (c->fresh || conn_has_unread(&c->conn))
        deadline_set(&c->deadline, client_settings(c)->timeouts.linger);
    else
        client_end_idle(c);
}

void client_kill(struct client *c)
{
    if (c->step == CLIENT_TUNNEL)
        passage_abort(c->passage);
    else if (c->exchange != NULL)
        exchange_abort(c->exchange, "the proxy stopped");
    if (c->step != CLIENT_CLOSED)
        client_close(c);
}

bool client_has_input(const struct client *c)
{
    return c->input != NULL ? c->input->len > 0 : buf_len(&c->in) > 0;
}

bool client_has_sent(struct client *c)
{
    return client_has_input(c) || conn_has_unread(&c->conn);
}

void client_resume(struct client *c)
{
    if (c->input != NULL || c->step == CLIENT_CLOSED)
        return;
    if (buf_len(&c->in) > 0)
        client_work_on_held(c);
    else
        client_settle(c);
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
        client_close(c);
    } else if (waits) {
        flush(c);
    } else {
        after_flush(c);
    }
}
