/* What becomes of a head that the two readers read differently. No such head is known, so the
 * second reader is replaced by one that always says no. */
#include "../fact.h"

#include "http/parser.h"
#include "http/request.h"
#include "http/response.h"

bool parser_agrees_on_request(struct slice bytes, const struct lint_head *lint)
{
    (void)bytes;
    (void)lint;
    return false;
}

bool parser_agrees_on_response(struct slice bytes, const struct lint_head *lint)
{
    (void)bytes;
    (void)lint;
    return false;
}

static const struct lint_limits limits = {.start_line = 1000, .head = 1000, .fields = 10};

static void a_request_read_in_two_ways_is_refused_and_counted(void **state)
{
    (void)state;
    struct arena arena;
    struct request r;
    bool disagreed = false;
    arena_init(&arena, 10000);
    struct slice bytes = SLICE("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(request_read(&r, &arena, bytes, &limits, &disagreed).status, 400);
    assert_true(disagreed);
    assert_int_equal(r.head.count, 0);
    assert_text(r.head.target, "/a");
    arena_free(&arena);
}

static void a_response_read_in_two_ways_is_refused_and_counted(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    bool disagreed = false;
    arena_init(&arena, 10000);
    struct slice bytes = SLICE("HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(response_read(&r, &arena, bytes, false, &limits, &disagreed).status, 502);
    assert_true(disagreed);
    arena_free(&arena);
}

static void what_lint_refuses_is_no_disagreement(void **state)
{
    (void)state;
    struct arena arena;
    struct request r;
    bool disagreed = true;
    arena_init(&arena, 10000);
    struct slice bytes = SLICE("GET /a HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_int_equal(request_read(&r, &arena, bytes, &limits, &disagreed).status, 400);
    assert_false(disagreed);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_read_in_two_ways_is_refused_and_counted),
        cmocka_unit_test(a_response_read_in_two_ways_is_refused_and_counted),
        cmocka_unit_test(what_lint_refuses_is_no_disagreement),
    };
    return cmocka_run_group_tests_name("disagreement", tests, NULL, NULL);
}
