/*
 * answer: what the proxy says itself: refusals, answers of a policy, and the pages for an origin
 * that was too slow, gone or broken.
 *
 * Promises exactly one final answer per exchange: once a final head went out, whatever goes wrong
 * cuts the connection instead.
 */
#include "base/log.h"
#include "http/page.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <string.h>

/* What the proxy says itself takes memory of its own: a policy may have used up the exchange's. */
#define PAGE_ARENA_MAX (64u << 10)

static void count_timeout(struct stats *s, enum trouble t)
{
    switch (t) {
    case TROUBLE_BODY:
        s->timeouts_body++;
        break;
    case TROUBLE_CONNECT:
        s->timeouts_connect++;
        break;
    case TROUBLE_SEND:
        s->timeouts_send++;
        break;
    case TROUBLE_RESPONSE:
        s->timeouts_response++;
        break;
    case TROUBLE_PROCESSING:
        s->timeouts_processing++;
        break;
    case TROUBLE_EXCHANGE:
        s->timeouts_exchange++;
        break;
    default: /* an error, no timeout */
        break;
    }
}

/* ---- sending ---- */

/* Sends a whole answer of ours and ends the exchange. */
static void send_answer(struct exchange *x, struct head *head, struct slice body)
{
    struct rewrite_response w = {.head = head, .date = proxy_date(x->proxy)};
    bool with_body = !framing_is_bodiless(head->status);

    origin_drop(&x->origin);
    if (exchange_upgrade(x, UPGRADE_EVENT_PAGE) == UPGRADE_ACTION_RELAY_CLOSE)
        x->close = true;
    w.framing = (struct framing){with_body ? FRAMING_LENGTH : FRAMING_NONE, body.len};
    w.close = !exchange_may_keep(x);
    w.keep_alive = !w.close && x->request.head.minor == 0;
    if (!client_begin(x->client, &w)) {
        exchange_cut(x, "no memory for an answer");
        return;
    }
    x->begun = true;
    exchange_note_status(x, head->status);
    if (with_body && !x->request.is_head) {
        x->result.bytes_out = body.len;
        conn_put_copy(&x->client->conn, body);
    }
    exchange_finish(x, OUTCOME_HERE);
}

static void send_page(struct exchange *x, int status, struct slice detail)
{
    enum page_form form = page_choose(&x->request.head);
    struct arena arena;
    struct head head = {.arena = &arena};
    struct slice body;

    arena_init(&arena, PAGE_ARENA_MAX);
    if (page_make(&head, &body, &arena, form, status, detail, slice_of_string(x->id)))
        send_answer(x, &head, body);
    else
        exchange_cut(x, "no memory for an answer");
    arena_free(&arena);
}

/* ---- verdicts ---- */

static bool has_page(const struct verdict *v)
{
    return !v->has_body && !policy_answer_is_bodiless(v->status);
}

/* What the policy says goes before what the page says of itself, but the type of its text. */
static bool is_wanted(const struct verdict *v, const struct field *f)
{
    return !has_page(v) || !slice_equals_nocase(f->name, SLICE("content-type"));
}

static bool add_fields(struct head *head, const struct verdict *v)
{
    for (size_t i = 0; i < v->field_count; i++)
        if (is_wanted(v, &v->fields[i]))
            head_remove(head, v->fields[i].name);
    for (size_t i = 0; i < v->field_count; i++)
        if (is_wanted(v, &v->fields[i]) && !head_add(head, v->fields[i].name, v->fields[i].value))
            return false;
    return true;
}

/* The head and body of the policy's answer, or of the page that stands in for a body. */
static bool make_answer(struct exchange *x, struct head *head, struct slice *body)
{
    const struct verdict *v = &x->call.verdict;

    if (has_page(v)) {
        if (!page_make(head, body, head->arena, page_choose(&x->request.head), v->status, SLICE(""),
                       slice_of_string(x->id)))
            return false;
    } else {
        head->status = v->status;
        head->reason = slice_of_string(response_reason(v->status));
        *body = policy_answer_is_bodiless(v->status) ? SLICE("") : v->body;
    }
    return add_fields(head, v);
}

/* Room for the page, for the fields, and for the array of them, which doubles as it grows; twice
 * that, as no block is filled to its end. */
static size_t answer_arena_max(const struct verdict *v)
{
    size_t bytes = PAGE_ARENA_MAX;

    for (size_t i = 0; i < v->field_count; i++)
        bytes += v->fields[i].name.len + v->fields[i].value.len + 4 * sizeof v->fields[i];
    return 2 * bytes;
}

/* Whether holding its body for a slow client would be one answer too many. What an origin's answer
 * may have waiting even then, this one may too. */
static bool is_too_much(struct exchange *x, struct slice body)
{
    struct proxy *p = x->proxy;

    if (x->request.is_head || body.len <= NET_READ_LEAST || p->net.waiting <= p->net.waiting_max)
        return false;
    if (proxy_may_complain(p, &p->buffered_logged))
        log_warning("%s: %zu bytes wait for slow clients and origins, and the policy answers with "
                    "%zu more (limits.buffered is %zu); answering 503",
                    x->id, p->net.waiting, body.len, p->net.waiting_max);
    return true;
}

void exchange_answer_verdict(struct exchange *x)
{
    const struct verdict *v = &x->call.verdict;
    struct arena arena;
    struct head head = {.arena = &arena};
    struct slice body;

    assert(v->status >= 200 && v->status <= 599);
    assert(v->body.len <= POLICY_BODY_MAX);
    if (x->begun) {
        exchange_cut(x, "a policy answered after the response had begun");
        return;
    }
    if (is_too_much(x, v->body)) {
        x->close = true;
        exchange_answer_status(x, 503, "too much waits for slow clients (limits.buffered)");
        return;
    }
    arena_init(&arena, answer_arena_max(v));
    if (make_answer(x, &head, &body))
        send_answer(x, &head, body);
    else
        exchange_cut(x, "no memory for an answer");
    arena_free(&arena);
}

void exchange_answer_status(struct exchange *x, int status, const char *why)
{
    if (status >= 400)
        x->result.error = why;
    if (x->begun)
        exchange_cut(x, why);
    else
        send_page(x, status, status < 500 ? slice_of_string(why) : SLICE(""));
}

/* ---- trouble ---- */

void exchange_trouble(struct exchange *x, enum trouble t, const char *detail)
{
    struct policy_trouble *told = &x->trouble;

    if (x->over)
        return;
    if (x->begun) {
        exchange_cut(x, detail);
        return;
    }
    /* Whatever a hook was still thinking about no longer matters. */
    exchange_cancel_hook(x);

    *told = (struct policy_trouble){
        .kind = trouble_kind(t),
        .status = trouble_status(t, x->settings->statuses),
        .after = trouble_after(t, x->timeouts),
        .elapsed = x->proxy->net.now - x->began,
        .upstream = x->view.upstream >= 0 ? x->settings->upstreams[x->view.upstream].name : "",
        .address = origin_address(&x->origin),
        .detail = detail,
        .interims = x->interim.count,
        .last_interim = x->interim.last,
        .bytes_sent = x->body_taken,
    };
    x->view.trouble = told;
    x->result.error = detail;
    count_timeout(x->proxy->stats, t);
    log_warning("%s: %.*s %.*s: upstream %s %s: %s (%s); answering %d", x->id,
                SLICE_ARG(x->request.head.method), SLICE_ARG(x->request.path), told->upstream,
                told->address, detail, told->kind, told->status);
    origin_drop(&x->origin);
    exchange_wait_origin(x, WAIT_NOTHING);
    deadline_clear(&x->ceiling);
    deadline_clear(&x->body_clock);
    deadline_clear(&x->send_clock);
    deadline_clear(&x->silence);
    if (t == TROUBLE_BODY)
        x->close = true;
    x->request_step = REQUEST_STEP_DISCARD;
    x->response_step = RESPONSE_STEP_TROUBLE;
    exchange_run(x);
}

bool exchange_trouble_step(struct exchange *x)
{
    bool timeout = x->trouble.after > 0;

    if (!exchange_hook(x, timeout ? HOOK_TIMEOUT : HOOK_ERROR))
        return false;
    if (x->call.verdict.kind == VERDICT_ANSWER)
        exchange_answer_verdict(x);
    else
        send_page(x, x->trouble.status, SLICE(""));
    return true;
}
