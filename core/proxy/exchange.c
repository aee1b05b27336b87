/*
 * exchange: the life of one request: made, driven, its end.
 *
 * Owns everything of an exchange and keeps it until the log hook has answered. Promises that each
 * exchange ends once, as one of four outcomes, with one line in the access log. What happens on the
 * way stands in request_way.c and response_way.c, how a hook is waited for in asking.c, what
 * happens when it takes too long in clocks.c.
 */
#include "proxy/exchange.h"

#include "base/digits.h"
#include "base/log.h"
#include "base/sys.h"
#include "proxy/clocks.h"

#include <assert.h>
#include <string.h>

#define ARENA_MAX (16u << 20)
#define SPARE_MAX 64

/* ---- life ---- */

static void free_exchange(struct exchange *x)
{
    clocks_stop(x);
    arena_free(&x->arena);
    x->magic = 0;
    sys_free(x);
}

/* Everything is over and nobody up the stack uses it any more: ready for another request. */
static void reap_exchange(struct doom *d)
{
    struct exchange *x = LIST_OWNER(d, struct exchange, doom);
    struct proxy *p = x->proxy;

    list_remove(&x->node);
    origin_free(&x->origin);
    body_reader_free(&x->request_body);
    arena_reset(&x->arena);
    generation_release(x->generation);
    proxy_check_drained(p);
    if (p->spare_count >= SPARE_MAX) {
        free_exchange(x);
        return;
    }
    list_push_front(&p->spare, &x->node);
    p->spare_count++;
}

void exchange_let_go(struct exchange *x)
{
    struct policy *policy = x->generation->policy;

    if (policy != NULL)
        policy->ops->forget(policy, &x->view);
    net_doom(&x->proxy->net, &x->doom, reap_exchange);
}

void exchange_free_spare(struct proxy *p)
{
    while (!list_is_empty(&p->spare)) {
        struct exchange *x = LIST_OWNER(p->spare.next, struct exchange, node);
        list_remove(&x->node);
        free_exchange(x);
    }
}

/* ---- driving ---- */

void exchange_run(struct exchange *x)
{
    if (x->running)
        return;
    x->running = true;
    while (!x->over && (exchange_request_step(x) || exchange_response_step(x)))
        continue;
    x->running = false;
}

/* ---- beginning ---- */

static struct exchange *take_spare(struct proxy *p)
{
    struct exchange *x;

    if (list_is_empty(&p->spare)) {
        x = sys_calloc(1, sizeof *x);
        if (x == NULL)
            return NULL;
        arena_init(&x->arena, ARENA_MAX);
        x->proxy = p;
        clocks_init(x);
        return x;
    }
    x = LIST_OWNER(p->spare.next, struct exchange, node);
    list_remove(&x->node);
    p->spare_count--;
    return x;
}

/* Back to the state of a new one, save for the arena's block and the clocks' timers. What is large
 * is not cleared here if nobody looks before it is set: `call` with its verdict, `trouble`. */
static void clean(struct exchange *x)
{
    x->doom.reap = NULL;
    memset(&x->request, 0, sizeof x->request);
    x->request_step = REQUEST_STEP_REQUEST;
    x->response_step = RESPONSE_STEP_WAIT;
    x->expect = EXPECT_STATE_IDLE;
    memset(&x->interim, 0, sizeof x->interim);
    x->upgrade = UPGRADE_STATE_NONE;
    x->offered.count = 0;
    memset(&x->view, 0, sizeof x->view);
    x->asking = ASKING_NOTHING;
    memset(&x->result, 0, sizeof x->result);
    x->origin_wait = WAIT_NOTHING;
    x->stall_since = 0;
    x->connecting_since = 0;
    x->body_taken = 0;
    x->running = x->request_read = x->begun = x->close = false;
    x->continued = x->retried = x->half_closed = x->bodyless = x->over = false;
}

struct exchange *exchange_new(struct client *c)
{
    struct proxy *p = c->proxy;
    struct exchange *x = take_spare(p);

    if (x == NULL)
        return NULL;
    clean(x);
    x->magic = EXCHANGE_MAGIC;
    x->proxy = p;
    x->client = c;
    x->peer = addr_of_peer(&c->peer);
    x->generation = p->current;
    generation_hold(x->generation);
    x->settings = x->generation->settings;
    x->timeouts = &x->settings->timeouts;
    origin_init(&x->origin, x);
    body_reader_init(&x->request_body, (struct framing){FRAMING_NONE, 0});
    x->began = p->net.now;
    x->call.view = &x->view;
    x->call.done = exchange_answered;
    x->call.waiting = NULL;
    x->view.id = p->next_id++;
    x->view.request_id = x->id;
    x->view.arena = &x->arena;
    x->view.settings = x->settings;
    x->view.request = &x->request;
    x->view.client = &x->peer;
    x->view.upstream = x->settings->upstream;
    x->view.max_body = UINT64_MAX;
    x->result.outcome = x->result.error = x->result.upstream = x->result.address = "";
    x->result.expect = x->result.upgrade = "";
    x->result.interims = x->codes;
    *digits_put_hex(x->id, x->view.id) = '\0';
    list_push_back(&p->exchanges, &x->node);
    p->stats->requests++;
    p->stats->active++;
    return x;
}

void exchange_begin_fault(struct exchange *x, struct slice bytes, struct fault fault)
{
    while (slice_starts(bytes, SLICE("\r\n")))
        bytes = slice_skip(bytes, 2);
    x->request.is_head = slice_starts(bytes, SLICE("HEAD "));
    x->close = true;
    log_debug("%s: bad request: %s; answering %d and closing", x->id, fault.why, fault.status);
    exchange_answer_status(x, fault.status, fault.why);
}

void exchange_begin(struct exchange *x, struct slice head)
{
    const struct limits *l = &x->settings->limits;
    struct lint_limits limits = {l->request_line, l->head, l->fields};
    struct slice bytes = arena_copy(&x->arena, head);
    bool disagreed = false;
    struct fault fault = fault_of(500, "no memory for a request head");

    if (bytes.at != NULL)
        fault = request_read(&x->request, &x->arena, bytes, &limits, &disagreed);
    if (disagreed)
        x->proxy->stats->disagreements++;
    if (head_find(&x->request.head, FIELD_X_REQUEST_ID) != NULL)
        trace_take_request_id(&x->request.head, settings_trusts(x->settings, &x->peer), x->id);
    if (fault_is(fault)) {
        exchange_begin_fault(x, head, fault);
        return;
    }
    if (x->request.offers.count > 0)
        x->upgrade = UPGRADE_STATE_ASKED;
    body_reader_init(&x->request_body, x->request.framing);
    if (framing_has_body(x->request.framing))
        x->client->step = CLIENT_BODY;
    else
        x->request_read = true;
    deadline_set(&x->ceiling, x->timeouts->exchange);
    exchange_run(x);
}

/* ---- the client ---- */

void exchange_client_ended(struct exchange *x)
{
    if (x->half_closed)
        return;
    x->half_closed = true;
    /* It may have left, or only be done talking: it gets a moment. */
    deadline_set(&x->gone_clock, x->timeouts->half_close);
}

void exchange_client_unread(struct exchange *x)
{
    if (!deadline_is_set(&x->gone_clock))
        deadline_set(&x->gone_clock, CONN_GONE_LOOK);
}

void exchange_abort(struct exchange *x, const char *why)
{
    if (x->over)
        return;
    if (x->result.error[0] == '\0')
        x->result.error = why;
    /* Perhaps it is only we who cannot write to it. */
    if (x->begun)
        client_cut(x->client);
    else
        conn_close(&x->client->conn);
    exchange_finish(x, OUTCOME_ABORTED);
}

void exchange_client_gone(struct exchange *x)
{
    exchange_abort(x, "the client left");
}

void exchange_client_drained(struct exchange *x)
{
    x->stall_since = x->proxy->net.now;
    origin_resume(&x->origin);
}

bool exchange_may_keep(const struct exchange *x)
{
    size_t most = x->settings->limits.requests;

    return x->request.keep_alive && x->request_read && !x->close && !x->proxy->draining &&
           (most == 0 || x->client->requests < most);
}

/* ---- the end ---- */

void exchange_leave(struct exchange *x)
{
    x->over = true;
    x->response_step = RESPONSE_STEP_OVER;
    x->client = NULL;
    exchange_let_go(x);
}

const char *exchange_outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_UPSTREAM] = "upstream",
        [OUTCOME_HERE] = "here",
        [OUTCOME_ABORTED] = "aborted",
        [OUTCOME_CUT] = "cut",
    };
    return names[outcome];
}

static void fill_result(struct exchange *x, enum outcome outcome)
{
    struct policy_result *r = &x->result;

    r->outcome = exchange_outcome_name(outcome);
    r->interim_count = x->interim.forwarded;
    r->elapsed = x->proxy->net.now - x->began;
    if (x->origin.upstream != NULL) {
        r->upstream = x->settings->upstreams[x->view.upstream].name;
        r->address = origin_address(&x->origin);
    }
    x->view.result = r;
}

void exchange_count_outcome(struct stats *s, enum outcome outcome)
{
    s->active--;
    switch (outcome) {
    case OUTCOME_UPSTREAM:
        s->answered_upstream++;
        break;
    case OUTCOME_HERE:
        s->answered_here++;
        break;
    case OUTCOME_ABORTED:
        s->aborted++;
        break;
    case OUTCOME_CUT:
        s->cut++;
        break;
    }
}

static enum client_then what_then(const struct exchange *x, enum outcome outcome)
{
    bool answered = outcome == OUTCOME_UPSTREAM || outcome == OUTCOME_HERE;

    if (answered && exchange_may_keep(x))
        return CLIENT_KEEPS;
    /* Behind a body, some clients send an empty line that belongs to nothing. */
    if (answered && x->request_read && !x->close && !x->request.keep_alive &&
        !framing_has_body(x->request.framing))
        return CLIENT_PARTS;
    return CLIENT_CLOSES;
}

void exchange_finish(struct exchange *x, enum outcome outcome)
{
    struct client *c = x->client;
    enum client_then then = what_then(x, outcome);

    assert(!x->over);
    x->over = true;
    if (x->response_step != RESPONSE_STEP_TUNNEL)
        histogram_note(&x->proxy->stats->elapsed, histogram_waits, x->proxy->net.now - x->began);
    x->response_step = RESPONSE_STEP_OVER;
    clocks_clear(x);
    exchange_cancel_hook(x);
    origin_release(&x->origin);
    fill_result(x, outcome);
    exchange_count_outcome(x->proxy->stats, outcome);
    access_add(&x->proxy->access, x->settings->access_log, &x->view);
    x->client = NULL;
    if (exchange_hook(x, HOOK_LOG))
        exchange_let_go(x);
    client_over(c, then);
}

void exchange_cut(struct exchange *x, const char *why)
{
    log_warning("%s: %s; cutting the client connection", x->id, why);
    x->result.error = why;
    client_cut(x->client);
    exchange_finish(x, OUTCOME_CUT);
}
