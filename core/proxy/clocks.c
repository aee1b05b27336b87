/*
 * clocks: what happens when an exchange waits too long for something.
 *
 * One deadline per question; which one runs is decided on the request's and the response's way.
 * Promises that a clock that fires without cause (bytes moved meanwhile) only runs on.
 */
#include "proxy/clocks.h"

#include "proxy/exchange.h"

/* Of many addresses each has this part of the time that is left; the last one has all of it. */
#define CONNECT_SHARES 4
#define CONNECT_LEAST  0.001 /* seconds; no more are left: it is over */

static double connect_left(const struct exchange *x)
{
    double left = x->connecting_since + x->timeouts->connect - x->proxy->net.now;

    return left > CONNECT_LEAST ? left : CONNECT_LEAST;
}

/* For the address that is being connected to: those behind it are to have some, too. */
static double connect_time(const struct exchange *x)
{
    size_t shares = 1 + origin_untried(&x->origin);

    return connect_left(x) / (double)(shares < CONNECT_SHARES ? shares : CONNECT_SHARES);
}

static void on_connect_clock(struct exchange *x)
{
    if (origin_untried(&x->origin) == 0 || connect_left(x) <= CONNECT_LEAST) {
        origin_blame(&x->origin, HEALTH_UNREACHED, "the connection was not made in time");
        exchange_trouble(x, TROUBLE_CONNECT, "the connection was not made in time");
    } else if (origin_pass_over(&x->origin)) {
        exchange_wait_origin(x, WAIT_CONNECT);
    } else {
        exchange_origin_unreachable(x);
    }
}

static void on_origin_clock(struct deadline *d, void *owner)
{
    struct exchange *x = owner;
    double last = x->stall_since;
    double taken;
    double left;

    switch (x->origin_wait) {
    case WAIT_NOTHING:
        break;
    case WAIT_CONNECT:
        on_connect_clock(x);
        break;
    case WAIT_RESPONSE:
        origin_blame(&x->origin, HEALTH_SILENT, "no response in time");
        exchange_trouble(x, TROUBLE_RESPONSE, "no final response in time");
        break;
    case WAIT_PROCESSING:
        exchange_trouble(x, TROUBLE_PROCESSING, "no final response in time after a 102");
        break;
    case WAIT_STALL:
        taken = conn_last_taken(&x->client->conn);
        left = (taken > last ? taken : last) + x->timeouts->stall - x->proxy->net.now;
        if (left > 0.001) {
            deadline_set_look(d, left, x->timeouts->stall);
            break;
        }
        x->proxy->stats->timeouts_stall++;
        exchange_cut(x, "the response body made no progress");
        break;
    }
}

/* Before an origin is asked, it is a hook that had the time. */
static const char *why_ceiling(const struct exchange *x)
{
    if (x->request_step == REQUEST_STEP_REQUEST)
        return "the request hook took the time of the whole exchange";
    if (x->request_step == REQUEST_STEP_EXPECT)
        return "the expect hook took the time of the whole exchange";
    if (x->request_step == REQUEST_STEP_UPGRADE)
        return "the upgrade hook took the time of the whole exchange";
    return "no final response within the time of an exchange";
}

static void on_ceiling(struct deadline *d, void *owner)
{
    (void)d;
    exchange_trouble(owner, TROUBLE_EXCHANGE, why_ceiling(owner));
}

static void on_body_clock(struct deadline *d, void *owner)
{
    (void)d;
    exchange_trouble(owner, TROUBLE_BODY, "the request body made no progress");
}

static void on_send_clock(struct deadline *d, void *owner)
{
    struct exchange *x = owner;
    struct uplink *u = x->origin.uplink;
    double left = u == NULL ? 0 : conn_last_taken(&u->conn) + x->timeouts->send - x->proxy->net.now;

    if (left > 0.001) {
        deadline_set_look(d, left, x->timeouts->send);
        return;
    }
    if (u != NULL)
        origin_blame(&x->origin, HEALTH_SILENT, "it takes no bytes of a request");
    exchange_trouble(x, TROUBLE_SEND, "the origin took no bytes of the request");
}

static void on_gone_clock(struct deadline *d, void *owner)
{
    struct exchange *x = owner;
    const struct conn *conn = &x->client->conn;

    if (x->half_closed)
        x->proxy->stats->timeouts_half_close++;
    /* Before its request is read, an end may stand behind the rest of it. */
    if (x->half_closed || conn_is_gone(conn))
        exchange_client_gone(x);
    else if (x->request_read && !conn->reading && conn_has_ended(conn))
        exchange_client_ended(x);
    else if (!conn->reading)
        deadline_set(d, CONN_GONE_LOOK);
}

/* The origin is silent: the client gets a 100 from us. */
static void on_silence(struct deadline *d, void *owner)
{
    struct exchange *x = owner;
    (void)d;

    if (exchange_expect(x, EXPECT_EVENT_SILENCE) == EXPECT_ACTION_OWN_100) {
        client_continue(x->client);
        exchange_body_freed(x);
    }
}

void exchange_wait_origin(struct exchange *x, enum origin_wait what)
{
    const struct timeouts *t = x->timeouts;
    const double seconds[] = {
        [WAIT_NOTHING] = 0,
        [WAIT_CONNECT] = what == WAIT_CONNECT ? connect_time(x) : 0,
        [WAIT_RESPONSE] = t->response,
        [WAIT_PROCESSING] = t->processing,
        [WAIT_STALL] = t->stall,
    };

    x->origin_wait = what;
    if (what == WAIT_STALL)
        deadline_set_look(&x->origin_clock, t->stall, t->stall);
    else
        deadline_set(&x->origin_clock, seconds[what]);
}

void exchange_wait_body(struct exchange *x)
{
    /* Once a final response is there, a client that stops sending is its right; while it waits for
     * leave to begin, so is its silence. */
    if (x->response_step == RESPONSE_STEP_WAIT && x->request_step == REQUEST_STEP_BODY &&
        x->expect != EXPECT_STATE_FORWARDED)
        deadline_set(&x->body_clock, x->timeouts->body);
}

void exchange_body_freed(struct exchange *x)
{
    deadline_clear(&x->silence);
    if (x->request_step != REQUEST_STEP_BODY)
        return;
    /* What a 102 promised still holds. */
    if (x->origin_wait == WAIT_RESPONSE)
        exchange_wait_origin(x, WAIT_NOTHING);
    exchange_wait_body(x);
}

static void on_hook_clock(struct deadline *d, void *owner)
{
    (void)d;
    exchange_hook_overdue(owner);
}

/* Calls `with` for each clock of an exchange. */
static void each_clock(struct exchange *x, void (*with)(struct deadline *d))
{
    struct deadline *clocks[] = {&x->origin_clock, &x->ceiling,    &x->body_clock, &x->send_clock,
                                 &x->gone_clock,   &x->hook_clock, &x->silence};

    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++)
        with(clocks[i]);
}

void clocks_init(struct exchange *x)
{
    struct net *net = &x->proxy->net;

    deadline_init(&x->origin_clock, net, on_origin_clock, x);
    deadline_init(&x->ceiling, net, on_ceiling, x);
    deadline_init(&x->body_clock, net, on_body_clock, x);
    deadline_init(&x->send_clock, net, on_send_clock, x);
    deadline_init(&x->gone_clock, net, on_gone_clock, x);
    deadline_init(&x->hook_clock, net, on_hook_clock, x);
    deadline_init(&x->silence, net, on_silence, x);
}

void clocks_clear(struct exchange *x)
{
    each_clock(x, deadline_clear);
}

void clocks_stop(struct exchange *x)
{
    each_clock(x, deadline_stop);
}
