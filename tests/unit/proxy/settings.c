/*
 * The defaults, and the rules by which settings are put together.
 */
#include "proxy/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct settings s;
static char why[256];

static int fresh(void **state)
{
    (void)state;
    memset(&s, 0xa5, sizeof s);
    settings_default(&s);
    why[0] = '\0';
    return 0;
}

static bool listen_on(const char *text)
{
    return settings_add_listener(&s, slice_of_string(text), why, sizeof why);
}

static int add_upstream(const char *name)
{
    return settings_add_upstream(&s, slice_of_string(name), why, sizeof why);
}

static bool add_address(const char *text)
{
    return settings_add_address(&s, slice_of_string(text), why, sizeof why);
}

static void assert_why(const char *part)
{
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say: %s", why, part);
}

static bool is(double have, double want)
{
    return have >= want && have <= want;
}

static void the_deadlines_have_their_documented_defaults(void **state)
{
    const struct timeouts *t = &s.timeouts;
    (void)state;
    assert_true(is(t->header, 30));
    assert_true(is(t->idle, 75));
    assert_true(is(t->body, 30));
    assert_true(is(t->connect, 15));
    assert_true(is(t->send, 60));
    assert_true(is(t->response, 100));
    assert_true(is(t->processing, 100));
    assert_true(is(t->exchange, 3600));
    assert_true(is(t->stall, 60));
    assert_true(is(t->half_close, 1));
    assert_true(is(t->tunnel, 3600));
    assert_true(is(t->hook, 10));
    assert_true(is(t->continue_, 0));
    assert_true(is(t->linger, 2));
    assert_true(is(t->upstream_idle, 50));
    assert_true(t->processing_restarts);
}

static void the_limits_have_their_documented_defaults(void **state)
{
    const struct limits *l = &s.limits;
    (void)state;
    assert_int_equal(l->request_line, 8192);
    assert_int_equal(l->head, 32768);
    assert_int_equal(l->fields, 128);
    assert_int_equal(l->interim, 256);
    assert_int_equal(l->interim_bytes, 262144);
    assert_int_equal(l->linger_bytes, 1048576);
    assert_int_equal(l->upstream_idle, 64);
    assert_int_equal(l->policy_memory, 67108864);
    assert_true(is(l->hook_cpu, 0.05));
    assert_int_equal(l->generations, 8);
}

static void everything_else_starts_safe_and_empty(void **state)
{
    (void)state;
    assert_int_equal(s.listener_count, 0);
    assert_int_equal(s.upstream_count, 0);
    assert_int_equal(s.address_count, 0);
    assert_int_equal(s.trusted_count, 0);
    assert_int_equal(s.upstream, -1);
    assert_int_equal(s.workers, 0);
    assert_int_equal(s.statuses, STATUSES_DEFAULT);
    assert_int_equal(s.access_log, LOG_FORM_TEXT);
    assert_int_equal(s.admin.len, 0);
    assert_string_equal(s.via, "interim");
    assert_true(s.via_responses);
    assert_false(s.on_error_default);
    assert_true(is(s.drain, 30));
    assert_string_equal(s.user, "");
    assert_false(s.jit);
}

static void upstreams_share_one_table_of_addresses(void **state)
{
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(add_upstream("app"), 0);
    assert_true(add_address("127.0.0.1:1"));
    assert_true(add_address("127.0.0.1:2"));
    assert_int_equal(add_upstream("uploads"), 1);
    assert_true(add_address("unix:/x"));
    assert_int_equal(s.upstreams[0].first, 0);
    assert_int_equal(s.upstreams[0].count, 2);
    assert_int_equal(s.upstreams[1].first, 2);
    assert_int_equal(s.upstreams[1].count, 1);
    assert_int_equal(s.upstreams[1].balance, BALANCE_ROUND_ROBIN);
    assert_string_equal(addr_text(&s.addresses[2], text), "unix:/x");
    assert_int_equal(settings_find_upstream(&s, SLICE("uploads")), 1);
    assert_int_equal(settings_find_upstream(&s, SLICE("upload")), -1);
    assert_int_equal(settings_find_upstream(&s, SLICE("App")), -1);
}

static void an_upstream_begins_with_the_general_timeouts(void **state)
{
    (void)state;
    s.timeouts.connect = 5;
    assert_int_equal(add_upstream("app"), 0);
    s.timeouts.connect = 6;
    assert_true(is(s.upstreams[0].timeouts.connect, 5));
    assert_true(is(s.upstreams[0].timeouts.response, 100));
}

static void a_name_is_short_and_used_once(void **state)
{
    char name[ADDR_TEXT_MAX + 1];
    (void)state;
    memset(name, 'n', sizeof name);
    name[ADDR_TEXT_MAX] = '\0';
    assert_int_equal(add_upstream(name), -1);
    assert_why("1 to 127 bytes");
    name[ADDR_TEXT_MAX - 1] = '\0';
    assert_int_equal(add_upstream(name), 0);
    assert_string_equal(s.upstreams[0].name, name);
    assert_int_equal(add_upstream(name), -1);
    assert_why("already");
    assert_int_equal(add_upstream(""), -1);
    assert_int_equal(settings_add_upstream(&s, SLICE("a\0b"), why, sizeof why), -1);
    assert_int_equal(s.upstream_count, 1);
}

static void full_tables_say_so(void **state)
{
    char text[64];
    (void)state;
    for (int i = 0; i < SETTINGS_UPSTREAMS; i++) {
        snprintf(text, sizeof text, "u%d", i);
        assert_int_equal(add_upstream(text), i);
    }
    assert_int_equal(add_upstream("more"), -1);
    assert_why("more than 64 upstreams");
    for (int i = 0; i < SETTINGS_ADDRESSES; i++)
        assert_true(add_address("127.0.0.1:1"));
    assert_false(add_address("127.0.0.1:1"));
    assert_why("more than 256 addresses");
    assert_int_equal(s.address_count, SETTINGS_ADDRESSES);
    for (int i = 0; i < SETTINGS_LISTENERS; i++) {
        snprintf(text, sizeof text, "127.0.0.1:%d", i + 1);
        assert_true(listen_on(text));
    }
    assert_false(listen_on("127.0.0.1:100"));
    assert_why("more than 32 addresses to listen on");
    assert_int_equal(s.listener_count, SETTINGS_LISTENERS);
}

static void a_wrong_address_changes_nothing(void **state)
{
    (void)state;
    add_upstream("app");
    assert_false(add_address("127.0.0.1"));
    assert_why("expected host:port");
    assert_int_equal(s.address_count, 0);
    assert_int_equal(s.upstreams[0].count, 0);
    assert_false(listen_on("127.0.0.1"));
    assert_why("or a port");
    assert_int_equal(s.listener_count, 0);
}

static void a_listener_is_listed_once_unless_the_kernel_chooses_its_port(void **state)
{
    (void)state;
    assert_true(listen_on("8080"));
    assert_false(listen_on("[::]:8080"));
    assert_why("[::]:8080 is listed twice");
    assert_true(listen_on("unix:/x"));
    assert_false(listen_on("unix:/x"));
    assert_true(listen_on("127.0.0.1:0"));
    assert_true(listen_on("127.0.0.1:0"));
    assert_int_equal(s.listener_count, 4);
}

static void nothing_to_listen_on_is_an_error(void **state)
{
    (void)state;
    assert_false(settings_check(&s, why, sizeof why));
    assert_why("listen");
    listen_on("8080");
    assert_true(settings_check(&s, why, sizeof why));
}

static void an_upstream_without_an_address_is_an_error(void **state)
{
    (void)state;
    listen_on("8080");
    add_upstream("app");
    add_address("127.0.0.1:1");
    add_upstream("empty");
    assert_false(settings_check(&s, why, sizeof why));
    assert_why("upstreams.empty");
    add_address("127.0.0.1:2");
    assert_true(settings_check(&s, why, sizeof why));
}

static void the_admin_listener_has_an_address_of_its_own(void **state)
{
    (void)state;
    listen_on("127.0.0.1:8080");
    s.admin = s.listeners[0];
    assert_false(settings_check(&s, why, sizeof why));
    assert_why("admin: 127.0.0.1:8080");
    s.admin.to.ip4.sin_port = htons(8081);
    assert_true(settings_check(&s, why, sizeof why));
}

static void the_admin_listener_is_of_this_machine_unless_it_is_public(void **state)
{
    static const char *const local[] = {"127.0.0.1:1", "127.9.8.7:1", "[::1]:1", "unix:/tmp/a",
                                        "[::ffff:127.0.0.1]:1"};
    static const char *const other[] = {"0.0.0.0:1", "9901", "[::]:1", "10.0.0.1:1",
                                        "[::ffff:10.0.0.1]:1"};
    (void)state;
    listen_on("127.0.0.1:8080");
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        assert_int_equal(addr_parse(slice_of_string(local[i]), true, &s.admin, 1, why, sizeof why),
                         1);
        assert_true(settings_check(&s, why, sizeof why));
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_int_equal(addr_parse(slice_of_string(other[i]), true, &s.admin, 1, why, sizeof why),
                         1);
        assert_false(settings_check(&s, why, sizeof why));
        assert_non_null(strstr(why, "public = true"));
        s.admin_public = true;
        assert_true(settings_check(&s, why, sizeof why));
        s.admin_public = false;
    }
}

static void nobody_is_trusted_unless_listed(void **state)
{
    struct addr peer;
    (void)state;
    assert_int_equal(addr_parse(SLICE("10.1.2.3:4"), false, &peer, 1, why, sizeof why), 1);
    assert_false(settings_trusts(&s, &peer));
    assert_true(addr_net_parse(SLICE("::1"), &s.trusted[s.trusted_count++], why, sizeof why));
    assert_false(settings_trusts(&s, &peer));
    assert_true(
        addr_net_parse(SLICE("10.0.0.0/8"), &s.trusted[s.trusted_count++], why, sizeof why));
    assert_true(settings_trusts(&s, &peer));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        TEST(the_deadlines_have_their_documented_defaults),
        TEST(the_limits_have_their_documented_defaults),
        TEST(everything_else_starts_safe_and_empty),
        TEST(upstreams_share_one_table_of_addresses),
        TEST(an_upstream_begins_with_the_general_timeouts),
        TEST(a_name_is_short_and_used_once),
        TEST(full_tables_say_so),
        TEST(a_wrong_address_changes_nothing),
        TEST(a_listener_is_listed_once_unless_the_kernel_chooses_its_port),
        TEST(nothing_to_listen_on_is_an_error),
        TEST(an_upstream_without_an_address_is_an_error),
        TEST(the_admin_listener_has_an_address_of_its_own),
        TEST(the_admin_listener_is_of_this_machine_unless_it_is_public),
        TEST(nobody_is_trusted_unless_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
