/*
 * response_way: the steps of the responses towards the client.
 *
 * Every interim response goes out as soon as its empty line is read. A final head passes the
 * response hook, then its body follows; a checked 101 becomes a tunnel. Promises that a response
 * that broke off never looks complete, and that nothing but one final head is ever sent.
 */
#include "base/log.h"
#include "proxy/clocks.h"
#include "proxy/exchange.h"
#include "proxy/passage.h"

#include <string.h>

#define GO_ON   true
#define WAIT_ON false

static struct slice via_of(const struct exchange *x)
{
    return x->settings->via_responses ? slice_of_string(x->settings->via) : SLICE("");
}

/* ---- interim responses ---- */

/* What a code means for the clocks (a 102 promises that a final response comes in time; a 100 that
 * was waited for sets the body free; no other changes anything). */
static void note_code(struct exchange *x, int code, enum expect_state before)
{
    if (code == 102 && (x->origin_wait != WAIT_PROCESSING || x->timeouts->processing_restarts))
        exchange_wait_origin(x, WAIT_PROCESSING);
    if (code == 100)
        x->continued = true;
    if (x->expect != before)
        exchange_body_freed(x);
}

static void note_first_byte(struct exchange *x)
{
    if (x->result.first_byte > 0)
        return;
    x->result.first_byte = x->proxy->net.now - x->began;
    histogram_note(&origin_stats(&x->origin)->first_byte, histogram_waits, x->result.first_byte);
}

void exchange_interim(struct exchange *x, size_t bytes)
{
    const struct head *head = &x->origin.response.head;
    enum expect_state before = x->expect;
    const char *why = NULL;

    note_first_byte(x);
    switch (exchange_judge(x, head->status, bytes, &why)) {
    case INTERIM_FORWARD:
        if (!client_interim(x->client, head, via_of(x))) {
            exchange_origin_broken(x, TROUBLE_BAD_RESPONSE, "an interim head cannot be written");
            break;
        }
        note_code(x, head->status, before);
        break;
    case INTERIM_SWALLOW:
        note_code(x, head->status, before);
        break;
    default:
        exchange_origin_broken(x, TROUBLE_BAD_RESPONSE, why);
        break;
    }
}

/* ---- upgrade ---- */

static void begin_tunnel(struct exchange *x, struct slice protocol)
{
    struct passage *passage = passage_new(x, protocol);
    struct slice early;

    if (passage == NULL) {
        exchange_answer_status(x, 502, "no memory for a tunnel");
        return;
    }
    if (!client_switch(x->client, &x->origin.response.head, via_of(x), passage, &early)) {
        passage_free(passage);
        exchange_answer_status(x, 502, "the response head cannot be written");
        return;
    }
    x->begun = true;
    exchange_note_status(x, 101);
    x->result.upgrade = arena_string(&x->arena, protocol);
    if (x->result.upgrade == NULL)
        x->result.upgrade = "?";
    x->response_step = RESPONSE_STEP_TUNNEL;
    /* A tunnel has a clock of its own. These would each wake the worker once more. */
    x->origin_wait = WAIT_NOTHING;
    clocks_stop(x);
    if (upgrade_is_websocket(protocol))
        x->proxy->stats->upgrades_websocket++;
    else
        x->proxy->stats->upgrades_other++;
    passage_open(passage, early);
}

void exchange_switching(struct exchange *x, size_t bytes)
{
    const char *why = NULL;
    struct slice protocol;
    struct fault fault;

    note_first_byte(x);
    if (exchange_judge(x, 101, bytes, &why) != INTERIM_UPGRADE) {
        exchange_origin_broken(x, TROUBLE_BAD_RESPONSE, why);
        return;
    }
    fault = upgrade_check(&x->request.head, &x->offered, &x->origin.response.head, &protocol);
    if (exchange_upgrade(x, fault_is(fault) ? UPGRADE_EVENT_MISFIT : UPGRADE_EVENT_SWITCH) ==
        UPGRADE_ACTION_TUNNEL)
        begin_tunnel(x, protocol);
    else
        exchange_origin_broken(x, TROUBLE_BAD_RESPONSE, fault.why);
}

/* ---- the final response ---- */

/* Whether the origin was told of an expectation, and answers without a 100 and before a byte of the
 * body: to such a one the next byte may be that of another request (RFC 9110 section 10.1.1). */
static bool answers_in_place_of_100(const struct exchange *x)
{
    bool told = x->expect == EXPECT_STATE_DECLINED || x->expect == EXPECT_STATE_STARTED ||
                x->expect == EXPECT_STATE_TIMED;

    return told && !x->continued && x->body_taken == 0;
}

/* The answer came before the request was sent. An origin that still reads gets the rest, but
 * neither connection is used again, whatever comes of that (RFC 9112 section 9.3). */
static void answer_is_early(struct exchange *x)
{
    x->close = true;
    x->origin.response.keep_alive = false;
    if (!x->origin.request_sent && answers_in_place_of_100(x))
        exchange_discard_body(x);
}

void exchange_final(struct exchange *x)
{
    note_first_byte(x);
    if (exchange_upgrade(x, UPGRADE_EVENT_FINAL) == UPGRADE_ACTION_RELAY_CLOSE)
        x->close = true;
    if (exchange_expect(x, EXPECT_EVENT_ORIGIN_FINAL) == EXPECT_ACTION_RELAY_CLOSE)
        x->close = true;
    if (!x->origin.request_sent || origin_is_blocked(&x->origin))
        answer_is_early(x);
    exchange_wait_origin(x, WAIT_NOTHING);
    deadline_clear(&x->ceiling);
    deadline_clear(&x->silence);
    /* An early answer: the client may be waiting for it and send nothing more, the origin may have
     * said all it has to say and read nothing more. */
    deadline_clear(&x->body_clock);
    deadline_clear(&x->send_clock);
    x->view.response = &x->origin.response;
    x->response_step = RESPONSE_STEP_FINAL;
    exchange_run(x);
}

/* How the body goes to the client. */
static struct framing framing_to_client(struct exchange *x)
{
    const struct response *r = &x->origin.response;
    struct framing f = r->framing;

    if (x->request.is_head || x->bodyless)
        return (struct framing){FRAMING_NONE, 0};
    /* A status that has a body, made from one that has none: an empty body. */
    if (f.kind == FRAMING_NONE && !framing_is_bodiless(r->head.status))
        return (struct framing){FRAMING_LENGTH, 0};
    if (f.kind == FRAMING_CHUNKED || f.kind == FRAMING_CLOSE)
        f.kind = x->request.head.minor == 0 ? FRAMING_CLOSE : FRAMING_CHUNKED;
    return f;
}

static void begin_response(struct exchange *x)
{
    const struct response *r = &x->origin.response;
    struct rewrite_response w = {.head = &r->head, .via = via_of(x), .date = proxy_date(x->proxy)};

    x->bodyless = framing_is_bodiless(r->head.status) && r->framing.kind != FRAMING_NONE;
    w.framing = framing_to_client(x);
    w.keep_framing_fields =
        (x->request.is_head || r->head.status == 304) && r->head.status != 204 && !x->bodyless;
    if (w.framing.kind == FRAMING_CLOSE)
        x->close = true;
    /* Unread bytes of the request's body make the connection useless for another; so do bytes for
     * the protocol that was offered, which may have come while the response hook waited. */
    if (!x->request_read || exchange_has_early(x))
        x->close = true;
    w.close = !exchange_may_keep(x);
    w.keep_alive = !w.close && x->request.head.minor == 0;
    if (!client_begin(x->client, &w)) {
        exchange_answer_status(x, 502, "the response head cannot be written");
        return;
    }
    x->begun = true;
    exchange_note_status(x, r->head.status);
    x->response_step = RESPONSE_STEP_BODY;
    x->stall_since = x->proxy->net.now;
    exchange_wait_origin(x, WAIT_STALL);
    if (x->bodyless)
        exchange_response_end(x);
    else
        origin_accept(&x->origin);
}

static bool step_final(struct exchange *x)
{
    struct fault fault;

    if (!exchange_hook(x, HOOK_RESPONSE))
        return WAIT_ON;
    fault = policy_response_fault(&x->view);
    if (x->call.verdict.kind == VERDICT_ANSWER) {
        exchange_answer_verdict(x);
    } else if (x->call.verdict.kind == VERDICT_FAILED && !x->settings->on_error_default) {
        exchange_answer_status(x, 500, "the response hook failed");
    } else if (fault_is(fault)) {
        log_warning("%s: the response is %s; answering %d", x->id, fault.why, fault.status);
        exchange_answer_status(x, fault.status, fault.why);
    } else {
        begin_response(x);
    }
    return GO_ON;
}

static bool step_wait(struct exchange *x)
{
    (void)x;
    return WAIT_ON;
}

bool exchange_response_step(struct exchange *x)
{
    static bool (*const steps[RESPONSE_STEP_COUNT])(struct exchange *) = {
        [RESPONSE_STEP_WAIT] = step_wait,   [RESPONSE_STEP_TROUBLE] = exchange_trouble_step,
        [RESPONSE_STEP_FINAL] = step_final, [RESPONSE_STEP_BODY] = step_wait,
        [RESPONSE_STEP_TUNNEL] = step_wait, [RESPONSE_STEP_OVER] = step_wait,
    };

    return steps[x->response_step](x);
}

void exchange_response_body(struct exchange *x, const struct slice *data, size_t count)
{
    x->result.bytes_out += slice_total(data, count);
    x->stall_since = x->proxy->net.now;
    client_body(x->client, data, count);
}

void exchange_response_passed(struct exchange *x, size_t bytes)
{
    x->result.bytes_out += bytes;
    x->stall_since = x->proxy->net.now;
}

void exchange_response_end(struct exchange *x)
{
    client_end(x->client, buf_slice(&x->origin.body.trailers));
    exchange_finish(x, OUTCOME_UPSTREAM);
}

void exchange_origin_broken(struct exchange *x, enum trouble trouble, const char *why)
{
    if (trouble == TROUBLE_CLOSED && !x->begun && exchange_retry(x))
        return;
    x->proxy->stats->upstream_failures++;
    origin_stats(&x->origin)->failures++;
    if (x->begun)
        exchange_cut(x, why);
    else
        exchange_trouble(x, trouble, why);
}
