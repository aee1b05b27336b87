/*
 * Counters are summed and shown, none forgotten; hooks have their names.
 */
#include "proxy/policy.h"
#include "proxy/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct stats numbered(uint64_t first)
{
    struct stats s;
#define NUMBER(name, text) s.name = first++;
    STATS(NUMBER)
    return s;
}

static void a_sum_has_every_counter(void **state)
{
    struct stats sum = numbered(1);
    struct stats more = numbered(1000);
    (void)state;
    stats_add(&sum, &more);
    uint64_t want = 1001;
#define CHECK(name, text)                                                                          \
    assert_int_equal(sum.name, want);                                                              \
    want += 2;
    STATS(CHECK)
}

static void the_text_has_every_counter_by_name(void **state)
{
    struct stats s = numbered(7);
    struct buf out;
    char want[4096] = "";
    size_t len = 0;
    (void)state;
#define SHOW(name, text)                                                                           \
    len += (size_t)snprintf(want + len, sizeof want - len, "%c\"" #name "\":%llu",                 \
                            len == 0 ? '{' : ',', (unsigned long long)s.name);
    STATS(SHOW)
    len += (size_t)snprintf(want + len, sizeof want - len, "}");
    buf_init(&out, sizeof want);
    assert_true(stats_write_json(&out, &s));
    assert_int_equal(buf_len(&out), len);
    assert_memory_equal(buf_slice(&out).at, want, len);
    buf_free(&out);
}

static void the_largest_count_is_shown_whole(void **state)
{
    struct stats s = {.accepted = UINT64_MAX};
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_true(stats_write_json(&out, &s));
    assert_true(slice_starts(buf_slice(&out), SLICE("{\"accepted\":18446744073709551615,")));
    buf_free(&out);
}

static void without_room_nothing_is_written(void **state)
{
    struct stats s = numbered(7);
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    assert_true(buf_append_string(&out, "old"));
    assert_false(stats_write_json(&out, &s));
    assert_int_equal(buf_len(&out), 3);
    buf_free(&out);
}

static void hooks_are_named_as_in_the_policy_file(void **state)
{
    static const char *const names[] = {"request", "expect",   "upgrade", "timeout",
                                        "error",   "response", "log"};
    (void)state;
    assert_int_equal(HOOK_COUNT, 7);
    for (int i = 0; i < HOOK_COUNT; i++)
        assert_string_equal(policy_hook_name((enum policy_hook)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_has_every_counter),
        cmocka_unit_test(the_text_has_every_counter_by_name),
        cmocka_unit_test(the_largest_count_is_shown_whole),
        cmocka_unit_test(without_room_nothing_is_written),
        cmocka_unit_test(hooks_are_named_as_in_the_policy_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
