/* The second reader must be able to say no: shown a false account of a head, it disagrees. */
#include "../fact.h"

#include "http/parser.h"

static const struct lint_limits limits = {.start_line = 1000, .head = 1000, .fields = 5};

static struct lint_field fields[5];
static struct lint_head lint;

static void read_request(struct slice bytes)
{
    lint = (struct lint_head){.fields = fields, .room = 5};
    assert_false(fault_is(lint_request(bytes, &limits, &lint)));
    assert_true(parser_agrees_on_request(bytes, &lint));
}

static void read_response(struct slice bytes)
{
    lint = (struct lint_head){.fields = fields, .room = 5};
    assert_false(fault_is(lint_response(bytes, &limits, &lint)));
    assert_true(parser_agrees_on_response(bytes, &lint));
}

static void every_false_span_of_a_request_is_noticed(void **state)
{
    (void)state;
    struct slice bytes = SLICE("PUT /path HTTP/1.1\r\nHost: a b\r\nEmpty:\r\n\r\n");
    read_request(bytes);
    const struct lint_head good = lint;
    uint32_t *const offsets[] = {
        &lint.target,        &lint.target_len,    &fields[0].name,
        &fields[0].name_len, &fields[0].value,    &fields[0].value_len,
        &fields[1].name,     &fields[1].name_len, &fields[1].value_len,
    };
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uint32_t kept = *offsets[i];
        *offsets[i] = kept + 1;
        assert_false(parser_agrees_on_request(bytes, &lint));
        *offsets[i] = kept;
        assert_true(parser_agrees_on_request(bytes, &lint));
    }
    lint.count = 1;
    assert_false(parser_agrees_on_request(bytes, &lint));
    lint.count = 3;
    assert_false(parser_agrees_on_request(bytes, &lint));
    lint = good;
    lint.minor = 0;
    assert_false(parser_agrees_on_request(bytes, &lint));
    lint = good;
    lint.major = 2;
    assert_false(parser_agrees_on_request(bytes, &lint));
}

static void every_false_span_of_a_response_is_noticed(void **state)
{
    (void)state;
    struct slice bytes = SLICE("HTTP/1.1 200 Fine\r\nA: b\r\n\r\n");
    read_response(bytes);
    const struct lint_head good = lint;
    lint.status = 201;
    assert_false(parser_agrees_on_response(bytes, &lint));
    lint = good;
    lint.reason_len = 3;
    assert_false(parser_agrees_on_response(bytes, &lint));
    lint = good;
    lint.reason++;
    assert_false(parser_agrees_on_response(bytes, &lint));
    lint = good;
    lint.minor = 0;
    assert_false(parser_agrees_on_response(bytes, &lint));
}

static void a_head_that_goes_on_or_ends_early_is_noticed(void **state)
{
    (void)state;
    struct slice bytes = SLICE("GET / HTTP/1.1\r\nA: b\r\n\r\nGET");
    read_request(slice_of(bytes.at, bytes.len - 3));
    assert_false(parser_agrees_on_request(bytes, &lint));
    assert_false(parser_agrees_on_request(slice_of(bytes.at, bytes.len - 4), &lint));
    assert_false(parser_agrees_on_request(slice_of(bytes.at, bytes.len - 9), &lint));
}

static void what_the_library_refuses_is_noticed(void **state)
{
    (void)state;
    read_request(SLICE("GET / HTTP/1.1\r\nA: b\r\n\r\n"));
    assert_false(parser_agrees_on_request(SLICE("GET / HTTP/1.x\r\nA: b\r\n\r\n"), &lint));
    assert_false(parser_agrees_on_request(SLICE("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"), &lint));
    assert_false(parser_agrees_on_request(SLICE("GET / HTTP/1.1\r\nA: \r\n b\r\n\r\n"), &lint));
    assert_false(parser_agrees_on_request(SLICE("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), &lint));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_false_span_of_a_request_is_noticed),
        cmocka_unit_test(every_false_span_of_a_response_is_noticed),
        cmocka_unit_test(a_head_that_goes_on_or_ends_early_is_noticed),
        cmocka_unit_test(what_the_library_refuses_is_noticed),
    };
    return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}
