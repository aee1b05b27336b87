/*
 * What is shown of a running interim: as text for Prometheus, as JSON, read back from the former,
 * and as lines for people.
 */
#include "process/metrics.h"
#include "process/sample.h"
#include "process/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct settings settings;
    struct board board;
    struct crew_slot *slots;
    struct overview overview;
    struct buf out;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->slots = aligned_alloc(_Alignof(struct crew_slot), 2 * sizeof *s->slots);
    assert_non_null(s->slots);
    memset(s->slots, 0, 2 * sizeof *s->slots);
    s->settings.limits.connections = 100;
    s->board = (struct board){.state = BOARD_READY,
                              .started = 1000,
                              .generation = 3,
                              .reloads_ok = 2,
                              .reloads_failed = 1,
                              .last_reload = 2000,
                              .wanted = 2,
                              .used = 2};
    s->board.workers[0] = (struct board_worker){CREW_WORKING, 11, 1001};
    s->board.workers[1] = (struct board_worker){CREW_LEAVING, 12, 1002};
    s->overview.settings = &s->settings;
    s->overview.board = &s->board;
    s->overview.slots = s->slots;
    buf_init(&s->out, OVERVIEW_TEXT_MAX);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    buf_free(&s->out);
    free(s->slots);
    free(s);
    return 0;
}

/* The text so far, to be searched. */
static const char *text_of(struct scene *s)
{
    assert_true(buf_append(&s->out, "", 1));
    return buf_slice(&s->out).at;
}

static const char *metrics_of(struct scene *s)
{
    overview_gather(&s->overview);
    buf_clear(&s->out);
    metrics_write(&s->out, &s->overview);
    return text_of(s);
}

static const char *json_of(struct scene *s)
{
    overview_gather(&s->overview);
    buf_clear(&s->out);
    overview_write_json(&s->out, &s->overview);
    return text_of(s);
}

#define HAS(text, part) assert_non_null(strstr(text, part))

static void counters_are_summed_over_workers(void **state)
{
    struct scene *s = *state;
    s->slots[0].stats.answered_here = 5;
    s->slots[1].stats.answered_here = 7;
    s->slots[1].stats.statuses[404 - STATS_STATUS_FIRST] = 3;
    const char *text = metrics_of(s);
    HAS(text, "\ninterim_requests_total{outcome=\"here\"} 12\n");
    HAS(text, "\ninterim_responses_total{code=\"404\"} 3\n");
    assert_null(strstr(text, "code=\"200\""));
}

static void what_the_parent_knows_is_told(void **state)
{
    struct scene *s = *state;
    const char *text = metrics_of(s);
    HAS(text, "interim_build_info{version=\"" INTERIM_VERSION "\"} 1\n");
    HAS(text, "\ninterim_ready 1\n");
    HAS(text, "\ninterim_policy_generation 3\n");
    HAS(text, "\ninterim_workers 1\n");
    HAS(text, "\ninterim_workers_wanted 2\n");
    HAS(text, "\ninterim_reloads_total{outcome=\"failed\"} 1\n");
    HAS(text, "\ninterim_last_reload_success 0\n");
    HAS(text, "\ninterim_last_reload_timestamp_seconds 2000\n");
    HAS(text, "\ninterim_client_connections_limit 100\n");
}

static void each_family_is_explained_once_before_its_samples(void **state)
{
    struct scene *s = *state;
    const char *text = metrics_of(s);
    char family[128] = "", seen[200][128];
    size_t count = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char name[128];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            for (size_t i = 0; i < count; i++)
                assert_string_not_equal(seen[i], name);
            assert_true(count < 200);
            strcpy(seen[count++], name);
            strcpy(family, name);
        } else if (sscanf(line, "# TYPE %127s", name) == 1) {
            assert_string_equal(name, family);
        } else {
            assert_memory_equal(line, family, strlen(family));
            assert_memory_equal(line, "interim_", 8);
        }
    }
    assert_true(count > 30);
}

static void buckets_are_cumulative(void **state)
{
    struct scene *s = *state;
    struct histogram *h = &s->slots[0].stats.elapsed;
    histogram_note(h, histogram_waits, 0.0005);
    histogram_note(h, histogram_waits, 0.003);
    histogram_note(h, histogram_waits, 500);
    const char *text = metrics_of(s);
    HAS(text, "\ninterim_request_duration_seconds_bucket{le=\"0.001\"} 1\n");
    HAS(text, "\ninterim_request_duration_seconds_bucket{le=\"0.0025\"} 1\n");
    HAS(text, "\ninterim_request_duration_seconds_bucket{le=\"0.005\"} 2\n");
    HAS(text, "\ninterim_request_duration_seconds_bucket{le=\"100\"} 2\n");
    HAS(text, "\ninterim_request_duration_seconds_bucket{le=\"+Inf\"} 3\n");
    HAS(text, "\ninterim_request_duration_seconds_sum 500.003500\n");
    HAS(text, "\ninterim_request_duration_seconds_count 3\n");
}

static void names_are_escaped(void **state)
{
    struct scene *s = *state;
    stats_origin(&s->slots[0].stats, "a\"b\\c\nd\xff", "1")->requests = 1;
    HAS(metrics_of(s),
        "\ninterim_upstream_requests_total{upstream=\"a\\\"b\\\\c\\nd\\\\xff\",address=\"1\"} 1\n");
    HAS(json_of(s), "\"upstream\":\"a\\\"b\\\\c\\u000ad\\u00ff\"");
}

static void an_address_rests_until_its_time(void **state)
{
    struct scene *s = *state;
    stats_origin(&s->slots[0].stats, "u", "1")->rests_until = 1e12;
    stats_origin(&s->slots[0].stats, "u", "2")->rests_until = 1e-9;
    const char *text = metrics_of(s);
    HAS(text, "\ninterim_upstream_resting{upstream=\"u\",address=\"1\"} 1\n");
    HAS(text, "\ninterim_upstream_resting{upstream=\"u\",address=\"2\"} 0\n");
}

static void the_longest_names_find_room(void **state)
{
    struct scene *s = *state;
    char name[ADDR_TEXT_MAX], address[ADDR_TEXT_MAX];
    memset(name, 0xff, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    memset(address, 0xff, sizeof address - 1);
    address[sizeof address - 1] = '\0';
    for (int i = 0; i < STATS_ORIGINS; i++) {
        address[0] = (char)('0' + i % 16);
        address[1] = (char)('0' + i / 16);
        stats_origin(&s->slots[0].stats, name, address)->requests = UINT64_MAX;
    }
    const char *json = json_of(s);
    assert_string_equal(json + strlen(json) - 3, "]}\n");
    const char *text = metrics_of(s);
    static const char last[] =
        "\ninterim_upstream_first_byte_seconds_count{upstream=\"others\",address=\"\"} 0\n";
    assert_string_equal(text + strlen(text) - strlen(last), last);
    HAS(text, "_count{upstream=\"\\\\xff");
    assert_true(buf_len(&s->out) < OVERVIEW_TEXT_MAX);
}

static void json_lists_processes_and_statuses(void **state)
{
    struct scene *s = *state;
    s->slots[0].stats.statuses[200 - STATS_STATUS_FIRST] = 1;
    s->slots[1].stats.statuses[599 - STATS_STATUS_FIRST] = 2;
    const char *text = json_of(s);
    HAS(text, "{\"number\":1,\"pid\":11,\"state\":\"working\",\"since\":1001.000,");
    HAS(text, "{\"number\":2,\"pid\":12,\"state\":\"leaving\",");
    HAS(text, "\"statuses\":{\"200\":1,\"599\":2}");
    HAS(text, "\"last_reload\":\"failed\",\"last_reload_time\":2000.000,");
}

/* ---- read back ---- */

static struct sample sample_of(struct scene *s)
{
    struct sample sample;
    struct buf text;
    metrics_of(s);
    buf_init(&text, OVERVIEW_TEXT_MAX);
    assert_true(buf_append_slice(&text, buf_slice(&s->out)));
    assert_true(sample_read(&sample, &text));
    return sample;
}

static void a_sample_has_what_was_written(void **state)
{
    struct scene *s = *state;
    struct histogram h;
    s->slots[0].stats.timeouts_hook = 9;
    stats_origin(&s->slots[0].stats, "a\"b", "x")->failures = 4;
    histogram_note(&s->slots[0].stats.hooks[HOOK_LOG].runs, histogram_runs, 2e-6);
    histogram_note(&s->slots[0].stats.hooks[HOOK_LOG].runs, histogram_runs, 1);
    struct sample sample = sample_of(s);
    assert_int_equal((int)sample_value(&sample, "timeouts_total{kind=\"hook\"}"), 9);
    assert_int_equal((int)sample_value(&sample, "nothing"), 0);
    const struct sample_line *l = sample_first(&sample, "upstream_failures_total{");
    assert_non_null(l);
    assert_true(slice_equals(sample_label(l, "upstream"), SLICE("a\\\"b")));
    assert_true(slice_equals(sample_label(l, "address"), SLICE("x")));
    assert_int_equal(sample_label(l, "none").len, 0);
    assert_null(sample_next(&sample, l, "upstream_failures_total{"));
    sample_histogram(&sample, "hook_run_seconds", SLICE("hook=\"log\","), histogram_runs, &h);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
    assert_true(h.sum > 1 && h.sum < 1.1);
    sample_free(&sample);
}

static void what_is_no_metrics_is_an_empty_sample(void **state)
{
    static const char *const texts[] = {
        "",          "\n\n", "interim_",    "# HELP\n", "<html>\xff</html> 1",
        "interim_x", " 1\n", "interim_x \n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sample sample;
        struct buf text;
        buf_init(&text, 100);
        assert_true(buf_append_string(&text, texts[i]));
        assert_true(sample_read(&sample, &text));
        assert_true(sample_value(&sample, "x") <= 0);
        assert_null(sample_first(&sample, "y"));
        sample_free(&sample);
    }
}

static const char *view_of(struct scene *s, const struct sample *now, const struct sample *before)
{
    const struct view view = {now, before, 2, 5000};
    buf_clear(&s->out);
    view_write(&s->out, &view);
    return text_of(s);
}

static void people_see_totals(void **state)
{
    struct scene *s = *state;
    s->slots[0].stats.answered_upstream = 20;
    s->slots[0].stats.statuses[200 - STATS_STATUS_FIRST] = 20;
    stats_origin(&s->slots[0].stats, "app\033[2J", "10.0.0.1:80")->rests_until = 1e12;
    struct sample now = sample_of(s);
    const char *text = view_of(s, &now, NULL);
    HAS(text, "   ready   up 1 h 6 min   policy generation 3   RELOAD FAILED 50 min ago\n");
    HAS(text, "\nworkers     1 of 2 work   deaths 0\n");
    HAS(text, "\nanswered    upstream 20   here 0   aborted 0   cut 0\n");
    HAS(text, "\nstatuses    200 20\n");
    HAS(text, "\ntimeouts    none\n");
    HAS(text, "\n  app?[2J 10.0.0.1:80 ");
    HAS(text, " RESTS ");
    sample_free(&now);
}

static void people_see_figures_of_the_longest_names(void **state)
{
    struct scene *s = *state;
    char name[ADDR_TEXT_MAX];
    memset(name, 0xff, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct origin_stats *origin = stats_origin(&s->slots[0].stats, name, name);
    origin->requests = 77;
    histogram_note(&origin->first_byte, histogram_waits, 0.0005);
    struct sample now = sample_of(s);
    const char *text = view_of(s, &now, NULL);
    HAS(text, "requests 77 ");
    HAS(strstr(text, "requests 77 "), "median 500 us ");
    sample_free(&now);
}

static void people_see_ages_and_durations_in_a_unit_that_suits(void **state)
{
    static const struct {
        double age;
        const char *text;
    } ages[] = {{-5, "up 0 s "},
                {59, "up 59 s "},
                {60, "up 1 min "},
                {3600, "up 1 h 0 min "},
                {86400 * 3 + 3600 * 4, "up 3 d 4 h "}};
    static const struct {
        double took;
        const char *text;
    } durations[] = {{0.0005, "median 500 us "}, {0.004, " ms   99 %"}, {4, " s   99 %"}};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        s->board.started = 5000 - ages[i].age;
        struct sample now = sample_of(s);
        HAS(view_of(s, &now, NULL), ages[i].text);
        sample_free(&now);
    }
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        struct stats *stats = &s->slots[0].stats;
        memset(&stats->elapsed, 0, sizeof stats->elapsed);
        histogram_note(&stats->elapsed, histogram_waits, durations[i].took);
        struct sample now = sample_of(s);
        HAS(view_of(s, &now, NULL), durations[i].text);
        sample_free(&now);
    }
}

static void people_see_what_passes_in_a_second(void **state)
{
    struct scene *s = *state;
    s->slots[0].stats.answered_upstream = 20;
    histogram_note(&s->slots[0].stats.elapsed, histogram_waits, 60);
    struct sample before = sample_of(s);
    s->slots[0].stats.answered_upstream = 120;
    s->slots[0].stats.answered_here = 3;
    histogram_note(&s->slots[0].stats.elapsed, histogram_waits, 0.0005);
    struct sample now = sample_of(s);
    const char *text = view_of(s, &now, &before);
    HAS(text, "\nanswered    upstream 50/s   here 1.5/s   aborted 0/s   cut 0/s\n");
    HAS(text, "   median 500 us   99 % 990 us\n");
    /* It was started anew in between. */
    HAS(view_of(s, &before, &now), "\nanswered    upstream 0/s   here 0/s ");
    sample_free(&now);
    sample_free(&before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(counters_are_summed_over_workers),
        TEST(what_the_parent_knows_is_told),
        TEST(each_family_is_explained_once_before_its_samples),
        TEST(buckets_are_cumulative),
        TEST(names_are_escaped),
        TEST(an_address_rests_until_its_time),
        TEST(the_longest_names_find_room),
        TEST(json_lists_processes_and_statuses),
        TEST(a_sample_has_what_was_written),
        TEST(what_is_no_metrics_is_an_empty_sample),
        TEST(people_see_totals),
        TEST(people_see_figures_of_the_longest_names),
        TEST(people_see_ages_and_durations_in_a_unit_that_suits),
        TEST(people_see_what_passes_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
