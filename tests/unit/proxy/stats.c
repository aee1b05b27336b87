/*
 * Counters are summed and shown, none forgotten; hooks have their names.
 */
#include "proxy/policy.h"
#include "proxy/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct stats numbered(uint64_t first)
{
    struct stats s = {0};
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

static void a_sum_has_statuses_hooks_and_times(void **state)
{
    static struct stats sum, more;
    (void)state;
    for (int i = 0; i < 2; i++) {
        more.statuses[200 - STATS_STATUS_FIRST] = 3;
        more.hooks[HOOK_LOG] = (struct hook_stats){.asked = 2, .failed = 1};
        histogram_note(&more.hooks[HOOK_LOG].runs, histogram_runs, 2e-6);
        histogram_note(&more.elapsed, histogram_waits, 0.5);
        stats_add(&sum, &more);
    }
    assert_int_equal(sum.statuses[100], 6);
    assert_int_equal(sum.hooks[HOOK_LOG].asked, 4);
    assert_int_equal(sum.hooks[HOOK_LOG].failed, 2);
    assert_int_equal(histogram_count(&sum.hooks[HOOK_LOG].runs), 2);
    assert_int_equal(histogram_count(&sum.elapsed), 3);
}

static void origins_are_summed_by_name_wherever_they_stand(void **state)
{
    static struct stats sum, one, two;
    (void)state;
    stats_origin(&one, "a", "1")->requests = 1;
    stats_origin(&one, "a", "2")->requests = 2;
    stats_origin(&two, "b", "1")->requests = 10;
    stats_origin(&two, "a", "1")->requests = 20;
    stats_origin(&two, "a", "1")->rests_until = 5;
    stats_add(&sum, &one);
    stats_add(&sum, &two);
    assert_int_equal(stats_origin(&sum, "a", "1")->requests, 21);
    assert_true(stats_origin(&sum, "a", "1")->rests_until > 4);
    assert_int_equal(stats_origin(&sum, "a", "2")->requests, 2);
    assert_int_equal(stats_origin(&sum, "b", "1")->requests, 10);
    assert_string_equal(sum.origins[3].upstream, "");
}

static void what_finds_no_place_is_counted_with_the_others(void **state)
{
    static struct stats s;
    char name[16];
    (void)state;
    for (int i = 0; i < STATS_ORIGINS + 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        stats_origin(&s, "u", name)->requests++;
    }
    assert_string_equal(s.origins[STATS_ORIGINS - 2].address, "254");
    assert_string_equal(s.origins[STATS_ORIGINS - 1].upstream, "others");
    assert_int_equal(s.origins[STATS_ORIGINS - 1].requests, 11);
}

/* The parent reads what a worker wrote, and one that was taken over may write anything. */
static void names_without_an_end_are_not_read_beyond_their_place(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (sizeof(struct stats) + page - 1) / page;
    char *room =
        mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static struct stats sum;
    (void)state;

    assert_true(room != MAP_FAILED);
    assert_int_equal(mprotect(room + pages * page, page, PROT_NONE), 0);
    struct stats *s = (struct stats *)(void *)(room + pages * page - sizeof *s);
    memset(s, 'A', sizeof *s);
    stats_add(&sum, s);
    assert_int_equal(strlen(sum.origins[0].upstream), sizeof s->origins[0].upstream - 1);
    assert_int_equal(strlen(sum.origins[0].address), sizeof s->origins[0].address - 1);
    munmap(room, (pages + 1) * page);
}

static void a_histogram_counts_up_to_its_bounds(void **state)
{
    struct histogram h = {0};
    (void)state;
    histogram_note(&h, histogram_waits, 0.001);
    histogram_note(&h, histogram_waits, 0.0011);
    histogram_note(&h, histogram_waits, 1000);
    assert_int_equal(h.counts[0], 1);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
    assert_true(h.sum > 1000);
}

static void a_quantile_lies_within_its_bucket(void **state)
{
    struct histogram h = {0};
    (void)state;
    assert_true(histogram_quantile(&h, histogram_waits, 0.5) <= 0);
    for (int i = 0; i < 100; i++)
        histogram_note(&h, histogram_waits, i < 90 ? 0.002 : 7);
    double half = histogram_quantile(&h, histogram_waits, 0.5);
    assert_true(half > 0.001 && half < 0.0025);
    assert_true(histogram_quantile(&h, histogram_waits, 0.95) > 5);
    histogram_note(&h, histogram_waits, 1e9);
    assert_true(histogram_quantile(&h, histogram_waits, 1) <= 100);
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
        cmocka_unit_test(a_sum_has_statuses_hooks_and_times),
        cmocka_unit_test(origins_are_summed_by_name_wherever_they_stand),
        cmocka_unit_test(what_finds_no_place_is_counted_with_the_others),
        cmocka_unit_test(names_without_an_end_are_not_read_beyond_their_place),
        cmocka_unit_test(a_histogram_counts_up_to_its_bounds),
        cmocka_unit_test(a_quantile_lies_within_its_bucket),
        cmocka_unit_test(the_text_has_every_counter_by_name),
        cmocka_unit_test(the_largest_count_is_shown_whole),
        cmocka_unit_test(without_room_nothing_is_written),
        cmocka_unit_test(hooks_are_named_as_in_the_policy_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
