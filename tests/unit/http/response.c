/* What is decided about a response head, once: one line a fact. */
#include "../fact.h"

#include "http/response.h"

#define S(literal) SLICE_INIT(literal)
#define END        "\r\n\r\n"
#define OK         "HTTP/1.1 200 OK\r\n"
#define OLD        "HTTP/1.0 200 OK\r\n"
#define CL         "Content-Length: 5"

static const struct lint_limits limits = {.start_line = 1000, .head = 2000, .fields = 100};

struct fact {
    const char *name;
    struct slice head;
    int status; /* of the fault */
    enum framing_kind kind;
    bool keep_alive;
    bool to_head;
};

#define FAILS                502, FRAMING_NONE, false, false
#define GIVES(kind, keeps)   0, FRAMING_##kind, keeps, false
#define TO_HEAD(kind, keeps) 0, FRAMING_##kind, keeps, true

static const struct fact rows[] = {
    {"a length keeps alive", S(OK CL END), GIVES(LENGTH, true)},
    {"chunks keep alive", S(OK "Transfer-Encoding: chunked" END), GIVES(CHUNKED, true)},
    {"close does not", S(OK CL "\r\nConnection: x, Close" END), GIVES(LENGTH, false)},
    {"no length closes", S("HTTP/1.1 200 OK" END), GIVES(CLOSE, false)},
    {"no length closes, whatever it says", S(OK "Connection: keep-alive" END), GIVES(CLOSE, false)},
    {"HTTP/1.0 closes", S(OLD CL END), GIVES(LENGTH, false)},
    {"HTTP/1.0 keeps alive when it says so", S(OLD CL "\r\nConnection: Keep-Alive" END),
     GIVES(LENGTH, true)},
    {"a higher minor version counts as 1.1", S("HTTP/1.5 200 OK\r\n" CL END), GIVES(LENGTH, true)},
    {"an answer to HEAD keeps alive without a length", S("HTTP/1.1 200 OK" END),
     TO_HEAD(NONE, true)},
    {"a 204 keeps alive", S("HTTP/1.1 204 No Content" END), GIVES(NONE, true)},
    {"a 304 keeps alive", S("HTTP/1.1 304 Not Modified\r\n" CL END), GIVES(NONE, true)},
    {"a 100 has no body", S("HTTP/1.1 100 Continue" END), GIVES(NONE, true)},
    {"a 103 has no body, whatever it says", S("HTTP/1.1 103 Early Hints\r\n" CL END),
     GIVES(NONE, true)},
    {"a 103 with malformed lengths is a 103",
     S("HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\nTransfer-Encoding: y" END),
     GIVES(NONE, true)},
    {"what lint refuses is a 502", S("HTTP/1.1 200 OK\nA: b" END), FAILS},
    {"HTTP/2.0 is a 502", S("HTTP/2.0 200 OK\r\n" CL END), FAILS},
    {"what framing refuses is a 502", S(OK CL "\r\n" CL END), FAILS},
};

static void check_row(void **state)
{
    const struct fact *row = *state;
    struct arena arena;
    struct response r;
    bool disagreed;
    arena_init(&arena, 100000);
    struct fault f = response_read(&r, &arena, row->head, row->to_head, &limits, &disagreed);
    assert_false(disagreed);
    if (f.status != row->status)
        fail_msg("status %d (%s), wanted %d", f.status, f.why ? f.why : "", row->status);
    assert_int_equal(r.keep_alive, row->keep_alive);
    assert_int_equal(r.framing.kind, row->kind);
    arena_free(&arena);
}

static void the_head_is_kept(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    bool disagreed;
    arena_init(&arena, 100000);
    struct slice bytes = SLICE("HTTP/1.1 418 I'm a teapot\r\nA: b" END);
    assert_false(fault_is(response_read(&r, &arena, bytes, false, &limits, &disagreed)));
    assert_int_equal(r.head.status, 418);
    assert_text(r.head.reason, "I'm a teapot");
    assert_int_equal(r.head.count, 1);
    arena_free(&arena);
}

static void statuses_have_their_usual_reasons(void **state)
{
    (void)state;
    assert_string_equal(response_reason(100), "Continue");
    assert_string_equal(response_reason(103), "Early Hints");
    assert_string_equal(response_reason(200), "OK");
    assert_string_equal(response_reason(404), "Not Found");
    assert_string_equal(response_reason(417), "Expectation Failed");
    assert_string_equal(response_reason(505), "HTTP Version Not Supported");
    assert_string_equal(response_reason(522), "Connection Timed Out");
    assert_string_equal(response_reason(524), "A Timeout Occurred");
    assert_string_equal(response_reason(299), "");
    assert_string_equal(response_reason(0), "");
}

static void a_reason_is_one_that_may_be_written(void **state)
{
    (void)state;
    for (int status = 100; status < 600; status++)
        assert_true(lint_is_value(slice_of_string(response_reason(status))));
}

int main(void)
{
    FACT_ADD_TABLE(rows, check_row);
    fact_add("the head is kept", the_head_is_kept, NULL);
    fact_add("statuses have their usual reasons", statuses_have_their_usual_reasons, NULL);
    fact_add("a reason is one that may be written", a_reason_is_one_that_may_be_written, NULL);
    return fact_run("response");
}
