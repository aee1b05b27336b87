/*
 * What becomes of each 1xx, for every code and every kind of client.
 */
#include "http/interim.h"

#include "message.h"

static const struct interim_limits wide = {1000, 1000000};

struct result {
    enum interim_action action;
    const char *why;
};

static struct result step(struct interim *seen, const struct interim_limits *limits, int code,
                          size_t bytes, unsigned minor, bool upgrading, enum expect_state *expect)
{
    struct result r = {INTERIM_ACTION_COUNT, NULL};
    r.action = interim_step(seen, limits, code, bytes, minor, upgrading, expect, &r.why);
    assert_int_equal(r.action == INTERIM_REFUSE, r.why != NULL);
    return r;
}

static enum interim_action fresh(int code, unsigned minor, bool upgrading)
{
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_IDLE;
    return step(&seen, &wide, code, 30, minor, upgrading, &expect).action;
}

static void every_kind_for_every_client_has_its_rule(void **test)
{
    static const enum interim_action want[INTERIM_KIND_COUNT][INTERIM_CLIENT_COUNT] = {
        {INTERIM_SWALLOW, INTERIM_FORWARD, INTERIM_FORWARD}, /* 100 */
        {INTERIM_REFUSE, INTERIM_REFUSE, INTERIM_UPGRADE},   /* 101 */
        {INTERIM_SWALLOW, INTERIM_FORWARD, INTERIM_FORWARD}, /* any other */
    };
    static const int code[INTERIM_KIND_COUNT] = {100, 101, 103};
    (void)test;
    for (int k = 0; k < INTERIM_KIND_COUNT; k++)
        for (int c = 0; c < INTERIM_CLIENT_COUNT; c++) {
            enum interim_action rule = interim_rule((enum interim_kind)k, (enum interim_client)c);
            assert_int_equal(rule, want[k][c]);
            assert_int_equal(fresh(code[k], c > 0, c == INTERIM_CLIENT_UPGRADING), rule);
        }
}

static void every_1xx_but_101_reaches_an_http11_client(void **test)
{
    (void)test;
    for (int code = 100; code <= 199; code++) {
        if (code == 101)
            continue;
        assert_int_equal(fresh(code, 1, false), INTERIM_FORWARD);
        assert_int_equal(fresh(code, 1, true), INTERIM_FORWARD);
    }
}

static void no_1xx_reaches_an_http10_client(void **test)
{
    (void)test;
    for (int code = 100; code <= 199; code++) {
        enum interim_action want = code == 101 ? INTERIM_REFUSE : INTERIM_SWALLOW;
        assert_int_equal(fresh(code, 0, false), want);
        assert_int_equal(fresh(code, 0, true), want);
    }
}

static void a_101_answers_a_forwarded_upgrade_or_is_refused(void **test)
{
    (void)test;
    assert_int_equal(fresh(101, 1, true), INTERIM_UPGRADE);
    assert_int_equal(fresh(101, 1, false), INTERIM_REFUSE);
}

static void a_100_moves_the_expectation(void **test)
{
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_FORWARDED;
    (void)test;
    assert_int_equal(step(&seen, &wide, 103, 30, 1, false, &expect).action, INTERIM_FORWARD);
    assert_int_equal(expect, EXPECT_STATE_FORWARDED);
    assert_int_equal(step(&seen, &wide, 100, 30, 1, false, &expect).action, INTERIM_FORWARD);
    assert_int_equal(expect, EXPECT_STATE_CONTINUED);
    assert_int_equal(step(&seen, &wide, 100, 30, 1, false, &expect).action, INTERIM_FORWARD);
    assert_int_equal(seen.forwarded, 3);
}

static void a_100_after_ours_is_swallowed_and_others_are_not(void **test)
{
    static const enum expect_state states[] = {EXPECT_STATE_ANSWERED, EXPECT_STATE_TIMED};
    (void)test;
    for (size_t i = 0; i < 2; i++) {
        struct interim seen = {0};
        enum expect_state expect = states[i];
        for (int n = 0; n < 2; n++)
            assert_int_equal(step(&seen, &wide, 100, 30, 1, false, &expect).action,
                             INTERIM_SWALLOW);
        assert_int_equal(step(&seen, &wide, 102, 30, 1, false, &expect).action, INTERIM_FORWARD);
        assert_int_equal(seen.count, 3);
        assert_int_equal(seen.forwarded, 1);
        assert_int_equal(seen.last, 102);
    }
}

static void what_is_received_is_counted(void **test)
{
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_IDLE;
    (void)test;
    step(&seen, &wide, 103, 40, 1, false, &expect);
    step(&seen, &wide, 102, 25, 0, false, &expect);
    step(&seen, &wide, 101, 50, 1, true, &expect);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.bytes, 115);
    assert_int_equal(seen.forwarded, 1);
    assert_int_equal(seen.last, 101);
}

static void the_limit_on_their_number_is_exact(void **test)
{
    const struct interim_limits limits = {3, 1000};
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_IDLE;
    (void)test;
    for (int i = 0; i < 3; i++)
        assert_int_equal(step(&seen, &limits, 102, 30, 1, false, &expect).action, INTERIM_FORWARD);
    struct result r = step(&seen, &limits, 102, 30, 1, false, &expect);
    assert_int_equal(r.action, INTERIM_REFUSE);
    assert_non_null(strstr(r.why, "limits.interim "));
    assert_int_equal(seen.forwarded, 3);
}

static void the_limit_on_their_bytes_is_exact(void **test)
{
    const struct interim_limits limits = {10, 100};
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_IDLE;
    (void)test;
    assert_int_equal(step(&seen, &limits, 103, 60, 1, false, &expect).action, INTERIM_FORWARD);
    assert_int_equal(step(&seen, &limits, 103, 40, 1, false, &expect).action, INTERIM_FORWARD);
    struct result r = step(&seen, &limits, 103, 1, 1, false, &expect);
    assert_int_equal(r.action, INTERIM_REFUSE);
    assert_non_null(strstr(r.why, "limits.interim_bytes"));
}

static void swallowed_ones_and_a_101_count_against_the_limits(void **test)
{
    const struct interim_limits one = {1, 1000};
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_IDLE;
    (void)test;
    assert_int_equal(step(&seen, &one, 102, 30, 0, false, &expect).action, INTERIM_SWALLOW);
    assert_int_equal(step(&seen, &one, 102, 30, 0, false, &expect).action, INTERIM_REFUSE);

    seen = (struct interim){0};
    assert_int_equal(step(&seen, &one, 103, 30, 1, true, &expect).action, INTERIM_FORWARD);
    assert_int_equal(step(&seen, &one, 101, 30, 1, true, &expect).action, INTERIM_REFUSE);
}

static void a_100_over_the_limit_does_not_move_the_expectation(void **test)
{
    const struct interim_limits none = {0, 1000};
    struct interim seen = {0};
    enum expect_state expect = EXPECT_STATE_FORWARDED;
    (void)test;
    assert_int_equal(step(&seen, &none, 100, 30, 1, false, &expect).action, INTERIM_REFUSE);
    assert_int_equal(expect, EXPECT_STATE_FORWARDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_for_every_client_has_its_rule),
        cmocka_unit_test(every_1xx_but_101_reaches_an_http11_client),
        cmocka_unit_test(no_1xx_reaches_an_http10_client),
        cmocka_unit_test(a_101_answers_a_forwarded_upgrade_or_is_refused),
        cmocka_unit_test(a_100_moves_the_expectation),
        cmocka_unit_test(a_100_after_ours_is_swallowed_and_others_are_not),
        cmocka_unit_test(what_is_received_is_counted),
        cmocka_unit_test(the_limit_on_their_number_is_exact),
        cmocka_unit_test(the_limit_on_their_bytes_is_exact),
        cmocka_unit_test(swallowed_ones_and_a_101_count_against_the_limits),
        cmocka_unit_test(a_100_over_the_limit_does_not_move_the_expectation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
