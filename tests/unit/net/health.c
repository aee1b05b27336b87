/* Passive health: how long an address rests after which failures. */
#include "net/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static double failed(struct health *h, double now)
{
    return health_failed(h, HEALTH_UNREACHED, now);
}

static void a_failure_to_connect_rests_at_once_and_ever_longer_up_to_a_minute(void **state)
{
    static const double rests[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct health h = {0};
    double now = 100;
    (void)state;

    assert_false(health_rests(&h, now));
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        assert_true(failed(&h, now) == rests[i]);
        assert_true(health_rests(&h, now + rests[i] - 0.01));
        now += rests[i];
        assert_false(health_rests(&h, now));
    }
}

static void failures_during_a_rest_do_not_prolong_it(void **state)
{
    struct health h = {0};
    (void)state;

    assert_true(failed(&h, 100) == 1);
    assert_true(failed(&h, 100.5) == 0);
    assert_false(health_rests(&h, 101));
    assert_true(failed(&h, 101) == 2);
}

static void a_response_clears_the_name(void **state)
{
    struct health h = {0};
    (void)state;

    failed(&h, 100);
    failed(&h, 101);
    assert_true(health_answered(&h));
    assert_false(health_rests(&h, 101.1));
    assert_false(health_answered(&h));
    assert_true(failed(&h, 102) == 1);
}

static void silence_counts_from_the_third_in_a_row(void **state)
{
    struct health h = {0};
    (void)state;

    assert_true(health_failed(&h, HEALTH_SILENT, 100) == 0);
    assert_true(health_failed(&h, HEALTH_SILENT, 100) == 0);
    assert_false(health_answered(&h));
    assert_true(health_failed(&h, HEALTH_SILENT, 101) == 0);
    assert_true(health_failed(&h, HEALTH_SILENT, 101) == 0);
    assert_true(health_failed(&h, HEALTH_SILENT, 101) == 1);
    assert_true(health_rests(&h, 101.5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_to_connect_rests_at_once_and_ever_longer_up_to_a_minute),
        cmocka_unit_test(failures_during_a_rest_do_not_prolong_it),
        cmocka_unit_test(a_response_clears_the_name),
        cmocka_unit_test(silence_counts_from_the_third_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
