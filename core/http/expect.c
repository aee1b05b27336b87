/*
 * expect: owns no state; the exchange holds one enum expect_state and moves it here alone.
 *
 * Promises that every pair of state and event has an answer, that an expectation is told to the
 * origin or answered by us but never both, and that a client never sees our 100 and the origin's.
 *
 * Next on a request's way: the policy's `expect` hook, then net/upstream.
 */
#include "http/expect.h"

#include <assert.h>

struct step {
    enum expect_action action;
    enum expect_state next;
};

/* ASKED while body bytes wait already: a row of its own, so that the rules stay data. */
#define ROW_ASKED_SENDING EXPECT_STATE_COUNT
#define ROW_COUNT         (EXPECT_STATE_COUNT + 1)

#define TO(action, next)                                                                           \
    {                                                                                              \
        EXPECT_ACTION_##action, EXPECT_STATE_##next                                                \
    }
#define ON(event) [EXPECT_EVENT_##event]
/* The policy decides once, before anything reaches an origin. */
#define DECIDED(state)                                                                             \
    ON(FORWARD) = TO(IMPOSSIBLE, state), ON(CONTINUE) = TO(IMPOSSIBLE, state),                     \
    ON(REFUSE) = TO(IMPOSSIBLE, state)

static const struct step steps[ROW_COUNT][EXPECT_EVENT_COUNT] =
    {
        [EXPECT_STATE_IDLE] =
            {
                DECIDED(IDLE),
                ON(BODY) = TO(NOTHING, IDLE),
                ON(ORIGIN_100) = TO(RELAY, IDLE),
                ON(ORIGIN_FINAL) = TO(RELAY, IDLE),
                ON(SILENCE) = TO(NOTHING, IDLE),
            },
        [EXPECT_STATE_ASKED] =
            {
                ON(FORWARD) = TO(SEND_HEAD, FORWARDED),
                ON(CONTINUE) = TO(SEND_100, ANSWERED),
                ON(REFUSE) = TO(ANSWER, REFUSED),
                ON(BODY) = TO(NOTHING, ASKED),
                ON(ORIGIN_100) = TO(IMPOSSIBLE, ASKED),
                ON(ORIGIN_FINAL) = TO(IMPOSSIBLE, ASKED),
                ON(SILENCE) = TO(NOTHING, ASKED),
            },
        [ROW_ASKED_SENDING] =
            {
                ON(FORWARD) = TO(SEND_HEAD, FORWARDED),
                ON(CONTINUE) = TO(SEND_PLAIN, ANSWERED),
                ON(REFUSE) = TO(ANSWER, REFUSED),
                ON(BODY) = TO(NOTHING, ASKED),
                ON(ORIGIN_100) = TO(IMPOSSIBLE, ASKED),
                ON(ORIGIN_FINAL) = TO(IMPOSSIBLE, ASKED),
                ON(SILENCE) = TO(NOTHING, ASKED),
            },
        [EXPECT_STATE_FORWARDED] =
            {
                DECIDED(FORWARDED),
                ON(BODY) = TO(NOTHING, STARTED),
                ON(ORIGIN_100) = TO(RELAY, CONTINUED),
                /* Nobody can know whether the client's next byte is body or a new request. */
                ON(ORIGIN_FINAL) = TO(RELAY_CLOSE, DECLINED),
                ON(SILENCE) = TO(OWN_100, TIMED),
            },
        [EXPECT_STATE_STARTED] =
            {
                DECIDED(STARTED),
                ON(BODY) = TO(NOTHING, STARTED),
                ON(ORIGIN_100) = TO(RELAY, STARTED),
                ON(ORIGIN_FINAL) = TO(RELAY, STARTED),
                ON(SILENCE) = TO(NOTHING, STARTED),
            },
        [EXPECT_STATE_CONTINUED] =
            {
                DECIDED(CONTINUED),
                ON(BODY) = TO(NOTHING, CONTINUED),
                ON(ORIGIN_100) = TO(RELAY, CONTINUED),
                ON(ORIGIN_FINAL) = TO(RELAY, CONTINUED),
                ON(SILENCE) = TO(NOTHING, CONTINUED),
            },
        [EXPECT_STATE_ANSWERED] =
            {
                DECIDED(ANSWERED),
                ON(BODY) = TO(NOTHING, ANSWERED),
                ON(ORIGIN_100) = TO(SWALLOW, ANSWERED),
                ON(ORIGIN_FINAL) = TO(RELAY, ANSWERED),
                ON(SILENCE) = TO(NOTHING, ANSWERED),
            },
        [EXPECT_STATE_TIMED] =
            {
                DECIDED(TIMED),
                ON(BODY) = TO(NOTHING, TIMED),
                ON(ORIGIN_100) = TO(SWALLOW, TIMED),
                ON(ORIGIN_FINAL) = TO(RELAY, TIMED),
                ON(SILENCE) = TO(NOTHING, TIMED),
            },
        [EXPECT_STATE_REFUSED] =
            {
                DECIDED(REFUSED),
                ON(BODY) = TO(NOTHING, REFUSED),
                ON(ORIGIN_100) = TO(IMPOSSIBLE, REFUSED),
                ON(ORIGIN_FINAL) = TO(IMPOSSIBLE, REFUSED),
                ON(SILENCE) = TO(NOTHING, REFUSED),
            },
        [EXPECT_STATE_DECLINED] =
            {
                DECIDED(DECLINED),
                ON(BODY) = TO(NOTHING, DECLINED),
                ON(ORIGIN_100) = TO(IMPOSSIBLE, DECLINED),
                ON(ORIGIN_FINAL) = TO(IMPOSSIBLE, DECLINED),
                ON(SILENCE) = TO(NOTHING, DECLINED),
            },
};

static const char *const state_names[EXPECT_STATE_COUNT] = {
    [EXPECT_STATE_IDLE] = "idle",           [EXPECT_STATE_ASKED] = "asked",
    [EXPECT_STATE_FORWARDED] = "forwarded", [EXPECT_STATE_STARTED] = "started",
    [EXPECT_STATE_CONTINUED] = "continued", [EXPECT_STATE_ANSWERED] = "answered",
    [EXPECT_STATE_TIMED] = "timed",         [EXPECT_STATE_REFUSED] = "refused",
    [EXPECT_STATE_DECLINED] = "declined",
};

static const char *const action_names[EXPECT_ACTION_COUNT] = {
    [EXPECT_ACTION_NOTHING] = "nothing",         [EXPECT_ACTION_SEND_HEAD] = "send-head",
    [EXPECT_ACTION_SEND_100] = "send-100",       [EXPECT_ACTION_SEND_PLAIN] = "send-plain",
    [EXPECT_ACTION_OWN_100] = "own-100",         [EXPECT_ACTION_RELAY] = "relay",
    [EXPECT_ACTION_SWALLOW] = "swallow",         [EXPECT_ACTION_ANSWER] = "answer",
    [EXPECT_ACTION_RELAY_CLOSE] = "relay-close", [EXPECT_ACTION_IMPOSSIBLE] = "impossible",
};

const char *expect_state_name(enum expect_state state)
{
    assert(state < EXPECT_STATE_COUNT);
    return state_names[state];
}

const char *expect_action_name(enum expect_action action)
{
    assert(action < EXPECT_ACTION_COUNT);
    return action_names[action];
}

enum expect_action expect_step(enum expect_state *state, enum expect_event event, bool body_arrived)
{
    assert(*state < EXPECT_STATE_COUNT && event < EXPECT_EVENT_COUNT);
    size_t row = *state;
    if (*state == EXPECT_STATE_ASKED && body_arrived)
        row = ROW_ASKED_SENDING;
    const struct step *s = &steps[row][event];
    *state = s->next;
    return s->action;
}

struct fault expect_of(const struct head *head, struct framing framing, enum expect_kind *out)
{
    const struct field *f = head_find(head, FIELD_EXPECT);
    *out = EXPECT_NONE;
    if (f == NULL)
        return fault_none();
    *out = EXPECT_IGNORED;
    if (head->minor == 0)
        return fault_none();
    if (head_count(head, FIELD_EXPECT) > 1)
        return fault_of(417, "more than one Expect field");
    if (!slice_equals_nocase(f->value, SLICE("100-continue")))
        return fault_of(417, "an expectation other than 100-continue");
    if (framing_has_body(framing))
        *out = EXPECT_HELD;
    return fault_none();
}
