/*
 * expect: the rules of `Expect: 100-continue` (RFC 9110 section 10.1.1) as tables.
 */
#ifndef INTERIM_HTTP_EXPECT_H
#define INTERIM_HTTP_EXPECT_H

#include "http/framing.h"

enum expect_kind {
    EXPECT_NONE,    /* no such field */
    EXPECT_IGNORED, /* HTTP/1.0, or no body announced: the field is dropped, nothing else happens */
    EXPECT_HELD,    /* a client that may wait for 100 before it sends its body */
};

/* What a request asks for. 417 for any value but a single `100-continue`. */
struct fault expect_of(const struct head *head, struct framing framing, enum expect_kind *out);

/* Where an expectation stands. */
#define EXPECT_STATES(X)                                                                           \
    X(IDLE, "no expectation, or one that was ignored")                                             \
    X(ASKED, "the policy is being asked")                                                          \
    X(FORWARDED, "the head went to the origin, no 100 yet, no body yet")                           \
    X(STARTED, "the client started its body unasked")                                              \
    X(CONTINUED, "the origin said 100")                                                            \
    X(ANSWERED, "we said 100; the origin does not know of the expectation")                        \
    X(TIMED, "we said 100 because the origin was silent; it may still say it")                     \
    X(REFUSED, "the policy gave a final answer instead")                                           \
    X(DECLINED, "the origin gave a final response instead; the body was never sent")

#define EXPECT_EVENTS(X)                                                                           \
    X(FORWARD, "the policy says forward")                                                          \
    X(CONTINUE, "the policy says continue")                                                        \
    X(REFUSE, "the policy gives a final answer")                                                   \
    X(BODY, "body bytes arrive from the client")                                                   \
    X(ORIGIN_100, "the origin sends 100")                                                          \
    X(ORIGIN_FINAL, "the origin sends a final response")                                           \
    X(SILENCE, "timeouts.continue has passed")

#define EXPECT_ACTIONS(X)                                                                          \
    X(NOTHING, "nothing to do")                                                                    \
    X(SEND_HEAD, "send the head to the origin, expectation included")                              \
    X(SEND_100, "send our own 100, and the head to the origin without the expectation")            \
    X(SEND_PLAIN, "send the head to the origin without the expectation")                           \
    X(OWN_100, "send our own 100")                                                                 \
    X(RELAY, "pass it on to the client")                                                           \
    X(SWALLOW, "drop it")                                                                          \
    X(ANSWER, "answer and close")                                                                  \
    X(RELAY_CLOSE, "pass it on, then close both connections: the body was never sent")             \
    X(IMPOSSIBLE, "cannot happen: the caller is wrong")

#define EXPECT_STATE_ENUM(name, text)  EXPECT_STATE_##name,
#define EXPECT_EVENT_ENUM(name, text)  EXPECT_EVENT_##name,
#define EXPECT_ACTION_ENUM(name, text) EXPECT_ACTION_##name,
enum expect_state { EXPECT_STATES(EXPECT_STATE_ENUM) EXPECT_STATE_COUNT };
enum expect_event { EXPECT_EVENTS(EXPECT_EVENT_ENUM) EXPECT_EVENT_COUNT };
enum expect_action { EXPECT_ACTIONS(EXPECT_ACTION_ENUM) EXPECT_ACTION_COUNT };

/*
 * One step: moves *state, returns what to do. In ASKED, BODY moves nothing and is NOTHING, but the
 * caller must then pass `body_arrived` true with CONTINUE: a client that already sends needs no
 * 100 (SEND_PLAIN instead of SEND_100).
 */
enum expect_action expect_step(enum expect_state *state, enum expect_event event,
                               bool body_arrived);

const char *expect_state_name(enum expect_state state);    /* "forwarded" */
const char *expect_action_name(enum expect_action action); /* "relay-close" */

#endif
