/*
 * request_way: the steps of a request towards its origin.
 *
 * request and expect or upgrade hook, a connection, the head, the body. Promises that nothing
 * reaches an origin before the policy has decided, and that a body byte is given on at most once.
 * The response's way begins beside it as soon as the head is sent.
 */
#include "base/log.h"
#include "proxy/exchange.h"

#include <errno.h>

#define GO_ON   true
#define WAIT_ON false

#define LADEN_MAX 16 /* clients of a worker, of a megabyte each */

/* A hook failed: true if the exchange goes on with the default all the same. */
static bool survives_failure(struct exchange *x, const char *why)
{
    if (x->settings->on_error_default)
        return true;
    exchange_answer_status(x, 500, why);
    return false;
}

/* Refusals close: what the client may have begun to send is no request. */
static void refuse(struct exchange *x)
{
    x->close = true;
    exchange_answer_verdict(x);
}

/* TRACE and OPTIONS that may go no further (RFC 9110 section 7.6.2). */
static void answer_last_hop(struct exchange *x)
{
    bool options = slice_equals(x->request.head.method, SLICE("OPTIONS"));
    exchange_answer_status(x, options ? 200 : 405, "Max-Forwards is 0");
}

static bool step_request(struct exchange *x)
{
    struct fault fault;

    if (!exchange_hook(x, HOOK_REQUEST))
        return WAIT_ON;
    if (x->call.verdict.kind == VERDICT_ANSWER) {
        exchange_answer_verdict(x);
        return GO_ON;
    }
    if (x->call.verdict.kind == VERDICT_FAILED && !survives_failure(x, "the request hook failed"))
        return GO_ON;
    fault = policy_request_fault(&x->view);
    if (fault.status == 431)
        log_warning("%s: the request is %s; answering %d", x->id, fault.why, fault.status);
    if (fault_is(fault))
        exchange_answer_status(x, fault.status, fault.why);
    else if (x->request.wants_answer_here)
        answer_last_hop(x);
    x->request_step = REQUEST_STEP_EXPECT;
    return GO_ON;
}

static bool step_expect(struct exchange *x)
{
    enum expect_event event = EXPECT_EVENT_FORWARD;
    enum expect_action action;

    if (x->request.expect != EXPECT_HELD) {
        x->request_step = REQUEST_STEP_UPGRADE;
        return GO_ON;
    }
    x->expect = EXPECT_STATE_ASKED;
    if (!exchange_hook(x, HOOK_EXPECT))
        return WAIT_ON;
    if (x->call.verdict.kind == VERDICT_FAILED && !survives_failure(x, "the expect hook failed"))
        return GO_ON;
    if (x->call.verdict.kind == VERDICT_ANSWER)
        event = EXPECT_EVENT_REFUSE;
    else if (x->call.verdict.kind == VERDICT_CONTINUE)
        event = EXPECT_EVENT_CONTINUE;
    x->request_step = REQUEST_STEP_SEEK;
    action = exchange_expect(x, event);
    if (action == EXPECT_ACTION_ANSWER)
        refuse(x);
    else if (action == EXPECT_ACTION_SEND_100)
        client_continue(x->client);
    return GO_ON;
}

static bool step_upgrade(struct exchange *x)
{
    const struct verdict *v = &x->call.verdict;

    if (x->upgrade == UPGRADE_STATE_NONE) {
        x->request_step = REQUEST_STEP_SEEK;
        return GO_ON;
    }
    if (!exchange_hook(x, HOOK_UPGRADE))
        return WAIT_ON;
    if (v->kind == VERDICT_FAILED && !survives_failure(x, "the upgrade hook failed"))
        return GO_ON;
    x->request_step = REQUEST_STEP_SEEK;
    if (v->kind == VERDICT_ANSWER) {
        exchange_upgrade(x, UPGRADE_EVENT_REFUSE);
        refuse(x);
        return GO_ON;
    }
    if (v->kind == VERDICT_OFFER)
        x->offered = v->offers;
    else if (v->kind != VERDICT_ORDINARY)
        upgrade_default(&x->request.offers, &x->offered);
    exchange_upgrade(x, x->offered.count > 0 ? UPGRADE_EVENT_OFFER : UPGRADE_EVENT_ORDINARY);
    return GO_ON;
}

static void choose_upstream(struct exchange *x, int index)
{
    x->timeouts = &x->settings->upstreams[index].timeouts;
    x->connecting_since = x->proxy->net.now;
}

static bool step_seek(struct exchange *x)
{
    int index = x->view.upstream;

    if (index < 0) {
        exchange_trouble(x, TROUBLE_NO_UPSTREAM, "no upstream is set for this request");
        x->request_step = REQUEST_STEP_DISCARD;
        return GO_ON;
    }
    choose_upstream(x, index);
    x->request_step = REQUEST_STEP_CONNECT;
    if (!origin_seek(&x->origin, &x->generation->upstreams[index], x->retried))
        exchange_origin_unreachable(x);
    else if (!origin_is_ready(&x->origin))
        exchange_wait_origin(x, WAIT_CONNECT);
    return GO_ON;
}

static bool step_connect(struct exchange *x)
{
    if (!origin_is_ready(&x->origin))
        return WAIT_ON;
    x->result.reused = x->origin.uplink->reused;
    x->result.connect = x->result.reused ? 0 : x->proxy->net.now - x->connecting_since;
    exchange_wait_origin(x, WAIT_NOTHING);
    x->request_step = REQUEST_STEP_SEND_HEAD;
    return GO_ON;
}

/* The head is sent, a body follows: who is waited for now? */
static void start_clocks(struct exchange *x)
{
    if (x->expect == EXPECT_STATE_FORWARDED) {
        exchange_wait_origin(x, WAIT_RESPONSE);
        deadline_set(&x->silence, x->timeouts->continue_);
    } else {
        exchange_wait_body(x);
    }
}

static void wait_taken(struct exchange *x)
{
    if (x->response_step == RESPONSE_STEP_WAIT && !deadline_is_set(&x->send_clock))
        deadline_set_look(&x->send_clock, x->timeouts->send, x->timeouts->send);
}

/* The request is put whole: its last bytes are to be taken, and then to be answered. */
static void wait_answer(struct exchange *x)
{
    if (origin_is_blocked(&x->origin))
        wait_taken(x);
    else if (x->response_step == RESPONSE_STEP_WAIT && x->origin_wait == WAIT_NOTHING)
        exchange_wait_origin(x, WAIT_RESPONSE);
}

static void end_request(struct exchange *x)
{
    origin_end(&x->origin, buf_slice(&x->request_body.trailers));
    x->request_step = REQUEST_STEP_SENT;
    wait_answer(x);
}

/* Whose connection this is, to an origin that wants to know: before everything else. */
static void say_who(struct exchange *x)
{
    enum proxy_version version = x->settings->upstreams[x->view.upstream].proxy_protocol;

    if (version == PROXY_VERSION_NONE)
        return;
    char header[PROXY_HEADER_WRITTEN_MAX];
    struct addr local;
    conn_local(&x->client->conn, &local);
    origin_preface(&x->origin,
                   slice_of(header, proxy_header_write(header, version, &x->peer, &local)));
}

static bool step_send_head(struct exchange *x)
{
    char client[ADDR_TEXT_MAX];
    struct rewrite_request r = {
        .request = &x->request,
        .framing = x->request.framing,
        .expect = x->expect == EXPECT_STATE_FORWARDED,
        .upgrade = &x->offered,
        .via = slice_of_string(x->settings->via),
        .client = slice_of_string(addr_host(&x->peer, client)),
        .scheme = SLICE("http"),
        .id = slice_of_string(x->id),
        .trusted = settings_trusts(x->settings, &x->peer),
    };

    say_who(x);
    if (!origin_head(&x->origin, &r)) {
        x->close = true;
        exchange_answer_status(x, 400, "the head for the origin cannot be written");
        return GO_ON;
    }
    if (x->request_read) {
        end_request(x);
        return GO_ON;
    }
    x->request_step = REQUEST_STEP_BODY;
    start_clocks(x);
    client_resume(x->client);
    return GO_ON;
}

static bool step_wait(struct exchange *x)
{
    (void)x;
    return WAIT_ON;
}

bool exchange_request_step(struct exchange *x)
{
    static bool (*const steps[REQUEST_STEP_COUNT])(struct exchange *) = {
        [REQUEST_STEP_REQUEST] = step_request, [REQUEST_STEP_EXPECT] = step_expect,
        [REQUEST_STEP_UPGRADE] = step_upgrade, [REQUEST_STEP_SEEK] = step_seek,
        [REQUEST_STEP_CONNECT] = step_connect, [REQUEST_STEP_SEND_HEAD] = step_send_head,
        [REQUEST_STEP_BODY] = step_wait,       [REQUEST_STEP_SENT] = step_wait,
        [REQUEST_STEP_DISCARD] = step_wait,
    };

    /* Once the response's way has taken over, nothing more is decided about the request. */
    if (x->response_step != RESPONSE_STEP_WAIT)
        return WAIT_ON;
    return steps[x->request_step](x);
}

/* ---- events ---- */

void exchange_origin_ready(struct exchange *x)
{
    exchange_run(x);
}

void exchange_origin_unreachable(struct exchange *x)
{
    const char *tried = arena_string(&x->arena, x->origin.tried);
    enum trouble trouble =
        x->origin.search.error == ECONNREFUSED ? TROUBLE_REFUSED : TROUBLE_UNREACHABLE;

    exchange_trouble(x, trouble, tried != NULL ? tried : "every address failed");
}

bool exchange_takes_body(struct exchange *x)
{
    if (x->request_step == REQUEST_STEP_DISCARD)
        return x->result.bytes_in - x->body_taken <= x->settings->limits.linger_bytes;
    if (x->request_step != REQUEST_STEP_BODY)
        return false;
    if (!origin_has_waiting(&x->origin))
        return true;
    deadline_clear(&x->body_clock);
    wait_taken(x);
    return false;
}

/* What frames data begins a body as well, but it is no progress: it could trickle in for days. */
void exchange_body_begun(struct exchange *x)
{
    if (x->request_step != REQUEST_STEP_BODY || x->expect != EXPECT_STATE_FORWARDED)
        return;
    exchange_expect(x, EXPECT_EVENT_BODY);
    exchange_body_freed(x);
}

void exchange_discard_body(struct exchange *x)
{
    x->request_step = REQUEST_STEP_DISCARD;
    x->close = true;
}

static void note_progress(struct exchange *x)
{
    exchange_body_begun(x);
    deadline_clear(&x->send_clock);
    exchange_wait_body(x);
}

void exchange_body(struct exchange *x, const struct slice *data, size_t count)
{
    x->result.bytes_in += slice_total(data, count);
    if (x->request_step == REQUEST_STEP_DISCARD)
        return;
    note_progress(x);
    if (x->result.bytes_in > x->view.max_body) {
        exchange_discard_body(x);
        /* An answer that has begun is a good one, and goes on. */
        if (!x->begun)
            exchange_answer_status(x, 413, "the request body is over req.max_body");
        return;
    }
    x->body_taken = x->result.bytes_in;
    origin_body(&x->origin, data, count);
}

struct body_way exchange_way(struct exchange *x, size_t most)
{
    bool within = x->result.bytes_in + most <= x->view.max_body;

    /* What comes behind chunks is drawn with them, and held: by few at a time. */
    bool bounded = x->origin.writing != FRAMING_CHUNKED || x->proxy->laden < LADEN_MAX;

    if (x->request_step != REQUEST_STEP_BODY || !within || !bounded)
        return (struct body_way){NULL, FRAMING_NONE};
    return origin_way(&x->origin);
}

void exchange_body_passed(struct exchange *x, size_t bytes)
{
    x->result.bytes_in += bytes;
    x->body_taken = x->result.bytes_in;
    note_progress(x);
}

void exchange_body_end(struct exchange *x)
{
    x->request_read = true;
    deadline_clear(&x->body_clock);
    deadline_clear(&x->send_clock);
    if (x->request_step == REQUEST_STEP_BODY)
        end_request(x);
}

void exchange_body_bad(struct exchange *x)
{
    x->close = true;
    log_info("%s: bad request body: %s; answering 400 and closing both sides", x->id,
             x->request_body.why);
    exchange_answer_status(x, 400, x->request_body.why);
}

void exchange_origin_drained(struct exchange *x)
{
    deadline_clear(&x->send_clock);
    if (x->request_step == REQUEST_STEP_BODY) {
        exchange_wait_body(x);
        client_resume(x->client);
    } else if (x->request_step == REQUEST_STEP_SENT) {
        wait_answer(x);
    }
}

/* Safe to send twice (RFC 9110 section 9.2.2). */
static bool is_idempotent(struct slice method)
{
    static const struct slice methods[] = {SLICE_INIT("GET"),     SLICE_INIT("HEAD"),
                                           SLICE_INIT("PUT"),     SLICE_INIT("DELETE"),
                                           SLICE_INIT("OPTIONS"), SLICE_INIT("TRACE")};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_equals(method, methods[i]))
            return true;
    return false;
}

bool exchange_retry(struct exchange *x)
{
    struct origin *o = &x->origin;
    bool held = x->expect == EXPECT_STATE_FORWARDED;

    if (o->uplink == NULL || !o->uplink->reused || o->spoke || x->retried || x->body_taken > 0)
        return false;
    if (!held && !is_idempotent(x->request.head.method))
        return false;
    log_info("%s: a pooled connection to %s was dead; trying a fresh one", x->id,
             origin_address(o));
    x->retried = true;
    x->proxy->stats->upstream_retries++;
    origin_drop(o);
    exchange_wait_origin(x, WAIT_NOTHING);
    deadline_clear(&x->silence);
    deadline_clear(&x->send_clock);
    deadline_clear(&x->body_clock);
    x->request_step = REQUEST_STEP_SEEK;
    exchange_run(x);
    return true;
}

void exchange_origin_deaf(struct exchange *x)
{
    if (exchange_retry(x))
        return;
    /* It may have answered already: what it said is still read. */
    deadline_clear(&x->send_clock);
    deadline_clear(&x->silence);
    wait_answer(x);
    /* The rest of the body is not for anybody. */
    if (x->request_step == REQUEST_STEP_BODY) {
        exchange_discard_body(x);
        deadline_clear(&x->body_clock);
        client_resume(x->client);
    }
}
