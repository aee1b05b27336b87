/*
 * The rules of Expect: 100-continue, every pair of state and event.
 */
#include "http/expect.h"

#include "message.h"

#include <stdio.h>

#define STATE(name)  EXPECT_STATE_##name
#define EVENT(name)  EXPECT_EVENT_##name
#define ACTION(name) EXPECT_ACTION_##name

/* Columns: FORWARD CONTINUE REFUSE BODY ORIGIN_100 ORIGIN_FINAL SILENCE. "." is nothing, "!" is
 * impossible; without a second word the state stays. */
static const char *const expected[EXPECT_STATE_COUNT][EXPECT_EVENT_COUNT] = {
    [STATE(IDLE)] = {"!", "!", "!", ".", "relay", "relay", "."},
    [STATE(ASKED)] = {"send-head forwarded", "send-100 answered", "answer refused", ".", "!", "!",
                      "."},
    [STATE(FORWARDED)] = {"!", "!", "!", ". started", "relay continued", "relay-close declined",
                          "own-100 timed"},
    [STATE(STARTED)] = {"!", "!", "!", ".", "relay", "relay", "."},
    [STATE(CONTINUED)] = {"!", "!", "!", ".", "relay", "relay", "."},
    [STATE(ANSWERED)] = {"!", "!", "!", ".", "swallow", "relay", "."},
    [STATE(TIMED)] = {"!", "!", "!", ".", "swallow", "relay", "."},
    [STATE(REFUSED)] = {"!", "!", "!", ".", "!", "!", "."},
    [STATE(DECLINED)] = {"!", "!", "!", ".", "!", "!", "."},
};

static const char *const expected_sending[EXPECT_EVENT_COUNT] = {
    "send-head forwarded", "send-plain answered", "answer refused", ".", "!", "!", ".",
};

static void check(enum expect_state state, enum expect_event event, bool sending, const char *want)
{
    char have[64];
    char full[64];
    enum expect_state next = state;
    enum expect_action action = expect_step(&next, event, sending);
    snprintf(have, sizeof have, "%s %s", expect_action_name(action), expect_state_name(next));

    size_t word = strcspn(want, " ");
    const char *name = want[0] == '.' ? "nothing" : want[0] == '!' ? "impossible" : want;
    snprintf(full, sizeof full, "%.*s %s", (int)strcspn(name, " "), name,
             want[word] == ' ' ? want + word + 1 : expect_state_name(state));
    assert_string_equal(have, full);
}

static void every_state_answers_every_event(void **test)
{
    (void)test;
    for (int s = 0; s < EXPECT_STATE_COUNT; s++)
        for (int e = 0; e < EXPECT_EVENT_COUNT; e++)
            check((enum expect_state)s, (enum expect_event)e, false, expected[s][e]);
}

static void body_bytes_matter_only_while_the_policy_is_asked(void **test)
{
    (void)test;
    for (int s = 0; s < EXPECT_STATE_COUNT; s++)
        for (int e = 0; e < EXPECT_EVENT_COUNT; e++)
            check((enum expect_state)s, (enum expect_event)e, true,
                  s == STATE(ASKED) ? expected_sending[e] : expected[s][e]);
}

struct seen {
    bool ours;      /* a 100 of ours */
    bool theirs;    /* a 100 of the origin */
    bool head_sent; /* to the origin */
    bool body;      /* bytes arrived since the head was sent */
};

/* Walks every sequence of possible events to a depth and checks what must hold on each. */
static void walk(enum expect_state state, bool sending, struct seen seen, int depth)
{
    for (int e = 0; e < EXPECT_EVENT_COUNT && depth > 0; e++) {
        struct seen now = seen;
        enum expect_state next = state;
        enum expect_action action = expect_step(&next, (enum expect_event)e, sending);
        if (action == ACTION(IMPOSSIBLE)) {
            assert_int_equal(next, state);
            continue;
        }
        if (e == EVENT(ORIGIN_100) || e == EVENT(ORIGIN_FINAL))
            assert_true(now.head_sent);
        if (action == ACTION(SEND_HEAD) || action == ACTION(SEND_100) ||
            action == ACTION(SEND_PLAIN)) {
            assert_false(now.head_sent);
            now.head_sent = true;
        }
        if (action == ACTION(OWN_100) || action == ACTION(RELAY_CLOSE))
            assert_false(now.ours || now.theirs || now.body);
        now.ours |= action == ACTION(OWN_100) || action == ACTION(SEND_100);
        now.theirs |= action == ACTION(RELAY) && e == EVENT(ORIGIN_100);
        now.body |= now.head_sent && e == EVENT(BODY);
        assert_false(now.ours && now.theirs);
        walk(next, sending || e == EVENT(BODY), now, depth - 1);
    }
}

static void a_client_never_sees_our_100_and_the_origins(void **test)
{
    (void)test;
    walk(STATE(ASKED), false, (struct seen){false, false, false, false}, 6);
}

/* A name is its constant in small letters, with dashes. */
static void assert_word(const char *name, const char *constant)
{
    char want[32];
    snprintf(want, sizeof want, "%s", constant);
    for (char *c = want; *c != '\0'; c++)
        *c = *c == '_' ? '-' : slice_lower(*c);
    assert_string_equal(name, want);
}

static void names_are_the_words_of_the_lists(void **test)
{
    (void)test;
#define LOWER(name, text) #name,
    static const char *const states[] = {EXPECT_STATES(LOWER)};
    static const char *const actions[] = {EXPECT_ACTIONS(LOWER)};
    for (int i = 0; i < EXPECT_STATE_COUNT; i++)
        assert_word(expect_state_name((enum expect_state)i), states[i]);
    for (int i = 0; i < EXPECT_ACTION_COUNT; i++)
        assert_word(expect_action_name((enum expect_action)i), actions[i]);
}

static void an_expectation_counts_with_a_body_in_http11(void **test)
{
    static const struct {
        const char *fields;
        unsigned minor;
        struct framing framing;
        int status;
        enum expect_kind kind;
    } cases[] = {
        {"", 1, {FRAMING_LENGTH, 5}, 0, EXPECT_NONE},
        {"Expect: 100-continue", 1, {FRAMING_LENGTH, 5}, 0, EXPECT_HELD},
        {"expect: 100-Continue", 1, {FRAMING_CHUNKED, 0}, 0, EXPECT_HELD},
        {"Expect: 100-continue", 0, {FRAMING_LENGTH, 5}, 0, EXPECT_IGNORED},
        {"Expect: something", 0, {FRAMING_LENGTH, 5}, 0, EXPECT_IGNORED},
        {"Expect: 100-continue", 1, {FRAMING_NONE, 0}, 0, EXPECT_IGNORED},
        {"Expect: 100-continue", 1, {FRAMING_LENGTH, 0}, 0, EXPECT_IGNORED},
        {"Expect: 100-continued", 1, {FRAMING_LENGTH, 5}, 417, EXPECT_IGNORED},
        {"Expect: 200-ok", 1, {FRAMING_NONE, 0}, 417, EXPECT_IGNORED},
        {"Expect:", 1, {FRAMING_LENGTH, 5}, 417, EXPECT_IGNORED},
        {"Expect: 100-continue, 100-continue", 1, {FRAMING_LENGTH, 5}, 417, EXPECT_IGNORED},
        {"Expect: 100-continue;a=b", 1, {FRAMING_LENGTH, 5}, 417, EXPECT_IGNORED},
        {"Expect: 100-continue\nExpect: 100-continue", 1, {FRAMING_LENGTH, 5}, 417, EXPECT_IGNORED},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head h = message_head(cases[i].fields);
        enum expect_kind kind;
        h.minor = cases[i].minor;
        struct fault fault = expect_of(&h, cases[i].framing, &kind);
        assert_int_equal(fault.status, cases[i].status);
        assert_int_equal(kind, cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_answers_every_event),
        cmocka_unit_test(body_bytes_matter_only_while_the_policy_is_asked),
        cmocka_unit_test(a_client_never_sees_our_100_and_the_origins),
        cmocka_unit_test(names_are_the_words_of_the_lists),
        MESSAGE_TEST(an_expectation_counts_with_a_body_in_http11),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
