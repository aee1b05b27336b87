/*
 * exchange: one request with its interim responses and its final response.
 *
 * Told as two tables of steps, the request's way and the response's way, that run beside each
 * other: an early response, a late body and a 1xx are then nothing special. A step either goes on
 * or waits; every event (bytes, an answer of a hook, a connection, a deadline) notes what happened
 * and runs both ways as far as they go.
 *
 * Files: exchange.c (life, hooks), clocks.c, decisions.c (expectation, interim responses, upgrade),
 * request_way.c, response_way.c, answer.c (what the proxy says itself). What stays of it while its
 * connections are a tunnel: passage.c.
 */
#ifndef INTERIM_PROXY_EXCHANGE_H
#define INTERIM_PROXY_EXCHANGE_H

#include "http/trace.h"
#include "proxy/client.h"
#include "proxy/local.h"
#include "proxy/origin.h"
#include "proxy/trouble.h"

#define REQUEST_STEPS(X)                                                                           \
    X(REQUEST, "the request hook is asked")                                                        \
    X(EXPECT, "the expect hook is asked, if the client expects 100-continue")                      \
    X(UPGRADE, "the upgrade hook is asked, if the client offers protocols")                        \
    X(SEEK, "a connection to the origin is looked for")                                            \
    X(CONNECT, "the connection is being made")                                                     \
    X(SEND_HEAD, "the head goes to the origin")                                                    \
    X(BODY, "the body goes to the origin as it comes")                                             \
    X(SENT, "the origin has the whole request")                                                    \
    X(DISCARD, "the rest of the body is read and thrown away")

#define RESPONSE_STEPS(X)                                                                          \
    X(WAIT, "nothing final yet; interim responses pass through")                                   \
    X(TROUBLE, "no answer came: the timeout or error hook is asked for a page")                    \
    X(FINAL, "the final head is in: the response hook is asked")                                   \
    X(BODY, "the body goes to the client")                                                         \
    X(TUNNEL, "the connections belong to a tunnel")                                                \
    X(OVER, "nothing is left to do")

#define REQUEST_STEP_ENUM(name, text)  REQUEST_STEP_##name,
#define RESPONSE_STEP_ENUM(name, text) RESPONSE_STEP_##name,
enum request_step { REQUEST_STEPS(REQUEST_STEP_ENUM) REQUEST_STEP_COUNT };
enum response_step { RESPONSE_STEPS(RESPONSE_STEP_ENUM) RESPONSE_STEP_COUNT };

/* Where the answer came from: each exchange ends as exactly one of these. */
enum outcome { OUTCOME_UPSTREAM, OUTCOME_HERE, OUTCOME_ABORTED, OUTCOME_CUT };

/* What the one clock on the origin's side is waiting for. */
enum origin_wait { WAIT_NOTHING, WAIT_CONNECT, WAIT_RESPONSE, WAIT_PROCESSING, WAIT_STALL };

enum asking { ASKING_NOTHING, ASKING_WAITS, ASKING_ANSWERED };

#define EXCHANGE_MAGIC 0xe8c4a9u

struct exchange {
    unsigned magic; /* EXCHANGE_MAGIC until it is freed */
    struct doom doom;
    struct list node; /* in proxy.exchanges or proxy.spare */
    struct proxy *proxy;
    struct generation *generation;
    const struct settings *settings; /* of the generation */
    const struct timeouts *timeouts; /* of the upstream, once one is chosen */
    struct client *client;           /* NULL once it is over */
    struct addr peer;                /* outlives the client, for the log */
    struct arena arena;
    struct request request;
    struct body_reader request_body; /* the client reads with it */
    struct origin origin;

    enum request_step request_step;
    enum response_step response_step;
    enum expect_state expect;
    struct interim interim;
    enum upgrade_state upgrade;
    struct upgrade_offers offered; /* to the origin */

    struct policy_view view;
    struct policy_call call;
    enum asking asking;
    struct policy_trouble trouble;
    struct policy_result result;
    int codes[POLICY_INTERIM_CODES];
    char id[TRACE_REQUEST_ID_MAX + 1];

    struct deadline origin_clock; /* see origin_wait */
    struct deadline ceiling;      /* `exchange` */
    struct deadline body_clock;   /* `body` */
    struct deadline send_clock;   /* `send` */
    struct deadline gone_clock;   /* `half_close`; or for a look whether the client is there */
    struct deadline hook_clock;   /* `hook` */
    struct deadline silence;      /* `continue` */
    enum origin_wait origin_wait;
    double stall_since; /* last byte of the response body read */

    double began; /* end of the request head */
    double connecting_since;
    uint64_t body_taken; /* request body bytes given to the origin */
    bool running;        /* inside exchange_run */
    bool request_read;   /* the whole request has come from the client */
    bool begun;          /* the final head went to the client */
    bool close;          /* the client connection closes afterwards */
    bool continued;      /* the origin said 100, passed on or not */
    bool retried;
    bool half_closed; /* the client has ended its side: gone_clock is its last */
    bool bodyless;    /* the policy made it a status without a body: the origin's is dropped */
    bool over;
};

/* ---- from the client ---- */

/* A head is in (the bytes are copied). `body_follows` is set if a body is to be read. The exchange
 * may be over when this returns: client->exchange is then NULL. NULL: no memory; close. */
struct exchange *exchange_new(struct client *c);
void exchange_begin(struct exchange *x, struct slice head);

/* Bytes that are no request, or not yet: answered with the fault's status, then closed. Of HEAD
 * they only need to have the name: it gets no body. */
void exchange_begin_fault(struct exchange *x, struct slice bytes, struct fault fault);

bool exchange_takes_body(struct exchange *x);
void exchange_body(struct exchange *x, const struct slice *data, size_t count);
void exchange_body_begun(struct exchange *x); /* in its place: bytes that are no data */
void exchange_body_end(struct exchange *x);

/* In the place of exchange_body: where up to so many may be passed unread, and how many were. */
struct body_way exchange_way(struct exchange *x, size_t most);
void exchange_body_passed(struct exchange *x, size_t bytes);
void exchange_body_bad(struct exchange *x);

void exchange_client_ended(struct exchange *x);   /* after a complete request */
void exchange_client_unread(struct exchange *x);  /* it has sent more than is read for now */
void exchange_client_gone(struct exchange *x);    /* reset, or ended inside a request */
void exchange_client_drained(struct exchange *x); /* it takes more */

/* ---- from the origin ---- */

void exchange_origin_ready(struct exchange *x);
void exchange_origin_unreachable(struct exchange *x); /* every address was tried */
void exchange_origin_drained(struct exchange *x);
void exchange_origin_deaf(struct exchange *x); /* it takes nothing any more, but may speak */

/* Response heads; origin.response holds the head of `bytes` bytes. */
void exchange_interim(struct exchange *x, size_t bytes);
void exchange_switching(struct exchange *x, size_t bytes);
void exchange_final(struct exchange *x);
void exchange_response_body(struct exchange *x, const struct slice *data, size_t count);
void exchange_response_passed(struct exchange *x, size_t bytes); /* unread: client_way */
void exchange_response_end(struct exchange *x);

/* The response broke off: before a final head a trouble, after it a cut. */
void exchange_origin_broken(struct exchange *x, enum trouble trouble, const char *why);

/* ---- from its passage ---- */

/* Nothing will be asked of it any more: it is over, but its end is not counted or logged here. */
void exchange_leave(struct exchange *x);

const char *exchange_outcome_name(enum outcome outcome); /* "upstream" */
void exchange_count_outcome(struct stats *s, enum outcome outcome);

/* ---- from the worker ---- */

/* Nobody gets an answer any more: the worker ends, or the client has left. */
void exchange_abort(struct exchange *x, const char *why);

/* It is over and only its log hook waits: no longer. */
void exchange_abandon(struct exchange *x);

/* The exchanges kept for use again. */
void exchange_free_spare(struct proxy *p);

/* ---- between the exchange's own files ---- */

void exchange_run(struct exchange *x);

/* Over, and no hook is asked any more: it goes behind the event. */
void exchange_let_go(struct exchange *x);

/* asking.c. Asks a hook once; true when call.verdict is there (VERDICT_DEFAULT at once if there is
 * no such hook). False: it waits, and exchange_run will come back. */
bool exchange_hook(struct exchange *x, enum policy_hook hook);

/* The waiting hook has answered; has had its time; is not waited for any more, if one is. */
void exchange_answered(struct policy_call *call);
void exchange_hook_overdue(struct exchange *x);
void exchange_cancel_hook(struct exchange *x);

bool exchange_request_step(struct exchange *x);
bool exchange_response_step(struct exchange *x);

/* The rest of the body is for nobody: neither connection carries anything behind it. */
void exchange_discard_body(struct exchange *x);

void exchange_wait_body(struct exchange *x); /* the client's body is waited for */

/* The expectation is met, or the body has begun unasked: it is the client that is waited for now,
 * and no longer the origin. */
void exchange_body_freed(struct exchange *x);
void exchange_wait_origin(struct exchange *x, enum origin_wait what);
void exchange_finish(struct exchange *x, enum outcome outcome);

/* Whether the client connection can carry another request after this exchange. */
bool exchange_may_keep(const struct exchange *x);

/* decisions.c: one step of a table in http/, counted and noted; what is to be done. */
enum expect_action exchange_expect(struct exchange *x, enum expect_event event);
enum upgrade_action exchange_upgrade(struct exchange *x, enum upgrade_event event);
enum interim_action exchange_judge(struct exchange *x, int code, size_t bytes, const char **why);

/* Likewise, the final head, or a 101, has gone to the client. */
void exchange_note_status(struct exchange *x, int status);

/* Whether the client has sent something behind the head of an upgrade. What comes before it was
 * sent an answer is no request. */
bool exchange_has_early(const struct exchange *x);

/* answer.c: each answers and ends the exchange, or cuts if a final head was already sent. */
void exchange_answer_status(struct exchange *x, int status, const char *why);
void exchange_answer_verdict(struct exchange *x);
void exchange_trouble(struct exchange *x, enum trouble trouble, const char *detail);
bool exchange_trouble_step(struct exchange *x);

/* The request starts again on a fresh connection, if rules allow: true if it did. */
bool exchange_retry(struct exchange *x);

/* Ends with a marker in the log what the client was sent: `cut`. */
void exchange_cut(struct exchange *x, const char *why);

#endif
