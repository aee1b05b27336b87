/* What is decided about a request head, once: one line a fact. */
#include "../fact.h"

#include "http/request.h"

#define S(literal) SLICE_INIT(literal)
#define END        "\r\n\r\n"
#define GET        "GET / HTTP/1.1\r\n"
#define HOST       "Host: a\r\n"
#define PLAIN      GET HOST

static const struct lint_limits limits = {.start_line = 1000, .head = 2000, .fields = 100};

static struct arena arena;

static struct fault read(struct slice head, struct request *r)
{
    bool disagreed;
    arena_free(&arena);
    arena_init(&arena, 100000);
    struct fault f = request_read(r, &arena, head, &limits, &disagreed);
    assert_false(disagreed);
    return f;
}

struct verdict {
    const char *name;
    struct slice head;
    int status;
};

static const struct verdict verdict_rows[] = {
    {"a plain request is good", S("GET / HTTP/1.1\r\nHost: a" END), 0},
    {"what lint refuses is refused", S("GET / HTTP/1.1\r\nHost : a" END), 400},
    {"what framing refuses is refused", S(PLAIN "Content-Length: x" END), 400},
    {"a coding that framing does not know", S(PLAIN "Transfer-Encoding: gzip, chunked" END), 501},
    {"an expectation nobody knows", S(PLAIN "Expect: 200-ok" END), 417},
    {"a protected nomination outranks an expectation",
     S(PLAIN "Expect: 200-ok\r\nConnection: host" END), 400},

    {"no Host in HTTP/1.1", S("GET / HTTP/1.1" END), 400},
    {"no Host in a higher minor version", S("GET / HTTP/1.2" END), 400},
    {"no Host in HTTP/1.0 is good", S("GET / HTTP/1.0" END), 0},
    {"an empty Host in HTTP/1.1", S("GET / HTTP/1.1\r\nHost:" END), 400},
    {"an empty Host in HTTP/1.0 is good", S("GET / HTTP/1.0\r\nHost: " END), 0},
    {"two Hosts", S(PLAIN "Host: b" END), 400},
    {"two equal Hosts", S(PLAIN "host: a" END), 400},
    {"two Hosts in HTTP/1.0", S("GET / HTTP/1.0\r\nHost: a\r\nHost: a" END), 400},
    {"a Host with a path", S(GET "Host: a/b" END), 400},
    {"a Host with userinfo", S(GET "Host: u@a" END), 400},
    {"a list of Hosts", S(GET "Host: a, b" END), 400},
    {"a malformed Host in HTTP/1.0", S("GET / HTTP/1.0\r\nHost: a b" END), 400},
    {"a Host with a port is good", S(GET "Host: a:8080" END), 0},
    {"a Host that is an IPv6 address is good", S(GET "Host: [::1]:80" END), 0},
    {"an absolute target without Host in HTTP/1.1", S("GET http://a/ HTTP/1.1" END), 400},
    {"an absolute target with a malformed Host", S("GET http://a/ HTTP/1.1\r\nHost: @" END), 400},
    {"an absolute target without Host in HTTP/1.0 is good", S("GET http://a/ HTTP/1.0" END), 0},

    {"nominating an unknown field is good", S(PLAIN "X-Foo: 1\r\nConnection: x-foo" END), 0},
    {"nominating what is not there is good", S(PLAIN "Connection: x-foo" END), 0},
    {"the usual connection options are good",
     S(PLAIN "Connection: close, keep-alive, TE, Upgrade, HTTP2-Settings, Trailer" END), 0},
    {"nominating Connection is good", S(PLAIN "Connection: connection" END), 0},
    {"an empty Connection is good", S(PLAIN "Connection: ,, " END), 0},
    {"nominating Host", S(PLAIN "Connection: host" END), 400},
    {"nominating Content-Length", S(PLAIN "Connection: Content-Length" END), 400},
    {"nominating Transfer-Encoding", S(PLAIN "Connection: transfer-encoding" END), 400},
    {"nominating Authorization", S(PLAIN "Connection: authorization" END), 400},
    {"nominating Proxy-Authorization", S(PLAIN "Connection: proxy-authorization" END), 400},
    {"nominating Cookie", S(PLAIN "Connection: cookie" END), 400},
    {"nominating Set-Cookie", S(PLAIN "Connection: set-cookie" END), 400},
    {"nominating Expect", S(PLAIN "Connection: expect" END), 400},
    {"nominating Via", S(PLAIN "Connection: via" END), 400},
    {"nominating Forwarded", S(PLAIN "Connection: forwarded" END), 400},
    {"nominating X-Forwarded-For", S(PLAIN "Connection: x-forwarded-for" END), 400},
    {"nominating X-Forwarded-Anything", S(PLAIN "Connection: X-FORWARDED-port" END), 400},
    {"nominating Date", S(PLAIN "Connection: date" END), 400},
    {"nominating Max-Forwards", S(PLAIN "Connection: max-forwards" END), 400},
    {"nominating late in a list", S(PLAIN "Connection: close, x , host" END), 400},
    {"nominating in a second field", S(PLAIN "Connection: close\r\nConnection: host" END), 400},
};

static void check_verdict(void **state)
{
    const struct verdict *row = *state;
    struct request r;
    struct fault f = read(row->head, &r);
    if (f.status != row->status)
        fail_msg("status %d (%s), wanted %d", f.status, f.why ? f.why : "", row->status);
    if (f.status != 0)
        assert_false(r.keep_alive);
}

struct target {
    const char *name;
    struct slice head;
    const char *path, *query, *host;
};

static const struct target target_rows[] = {
    {"path and host", S("GET /a HTTP/1.1\r\nHost: h:1" END), "/a", NULL, "h:1"},
    {"path and query", S("GET /a?b HTTP/1.1\r\nHost: h" END), "/a", "b", "h"},
    {"an empty query", S("GET /? HTTP/1.1\r\nHost: h" END), "/", "", "h"},
    {"an absolute target outranks Host", S("GET http://t:8/a?b HTTP/1.1\r\nHost: h" END), "/a", "b",
     "t:8"},
    {"an absolute target without a path", S("GET http://t HTTP/1.1\r\nHost: h" END), "/", NULL,
     "t"},
    {"OPTIONS of everything", S("OPTIONS * HTTP/1.1\r\nHost: h" END), "*", NULL, "h"},
    {"OPTIONS of a whole server", S("OPTIONS http://t HTTP/1.1\r\nHost: h" END), "*", NULL, "t"},
    {"no host at all", S("GET / HTTP/1.0" END), "/", NULL, ""},
};

static void check_target(void **state)
{
    const struct target *row = *state;
    struct request r;
    assert_int_equal(read(row->head, &r).status, 0);
    assert_text(r.path, row->path);
    assert_text(r.query, row->query);
    assert_int_equal(r.query.at != NULL, row->query != NULL);
    assert_text(r.host, row->host);
}

struct answer {
    const char *name;
    struct slice head;
    bool yes;
};

static const struct answer keep_alive_rows[] = {
    {"HTTP/1.1 keeps alive", S("GET / HTTP/1.1\r\nHost: a" END), true},
    {"HTTP/1.1 with close does not", S(PLAIN "Connection: Close" END), false},
    {"close counts in any place", S(PLAIN "Connection: keep-alive\r\nConnection: x,close" END),
     false},
    {"close must be a whole token", S(PLAIN "Connection: closed" END), true},
    {"HTTP/1.0 does not keep alive", S("GET / HTTP/1.0\r\nHost: a" END), false},
    {"HTTP/1.0 keeps alive when asked", S("GET / HTTP/1.0\r\nConnection: Keep-Alive" END), true},
    {"HTTP/1.0 with both does not", S("GET / HTTP/1.0\r\nConnection: keep-alive, close" END),
     false},
};

static void check_keep_alive(void **state)
{
    const struct answer *row = *state;
    struct request r;
    assert_int_equal(read(row->head, &r).status, 0);
    assert_int_equal(r.keep_alive, row->yes);
}

static const struct answer answer_here_rows[] = {
    {"TRACE ends at no hops", S("TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0" END), true},
    {"OPTIONS ends at no hops", S("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 00" END), true},
    {"TRACE goes on with hops", S("TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1" END), false},
    {"TRACE goes on without a count", S("TRACE / HTTP/1.1\r\nHost: a" END), false},
    {"a count that is no number is ignored",
     S("TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x" END), false},
    {"GET has no count of hops", S(PLAIN "Max-Forwards: 0" END), false},
};

static void check_answer_here(void **state)
{
    const struct answer *row = *state;
    struct request r;
    assert_int_equal(read(row->head, &r).status, 0);
    assert_int_equal(r.wants_answer_here, row->yes);
}

static void framing_expectation_and_upgrade_are_asked_for(void **state)
{
    (void)state;
    struct request r;
    struct slice upload = SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                "Expect: 100-continue" END);
    assert_int_equal(read(upload, &r).status, 0);
    assert_int_equal(r.framing.kind, FRAMING_LENGTH);
    assert_int_equal(r.framing.length, 5);
    assert_int_equal(r.expect, EXPECT_HELD);
    assert_int_equal(r.offers.count, 0);

    struct slice upgrade = SLICE(PLAIN "Connection: upgrade\r\nUpgrade: websocket" END);
    assert_int_equal(read(upgrade, &r).status, 0);
    assert_int_equal(r.framing.kind, FRAMING_NONE);
    assert_int_equal(r.offers.count, 1);
    assert_false(r.is_head);
}

static void head_is_head_in_upper_case(void **state)
{
    (void)state;
    struct request r;
    assert_int_equal(read(SLICE("HEAD / HTTP/1.1\r\nHost: a" END), &r).status, 0);
    assert_true(r.is_head);
    assert_int_equal(read(SLICE("head / HTTP/1.1\r\nHost: a" END), &r).status, 0);
    assert_false(r.is_head);
}

static void a_refused_request_can_still_be_logged(void **state)
{
    (void)state;
    struct request r;
    assert_int_equal(read(SLICE("GET /a HTTP/1.1" END), &r).status, 400);
    assert_text(r.head.method, "GET");
    assert_text(r.head.target, "/a");
}

struct edit {
    const char *name;
    struct slice text; /* the new path or query */
    bool good;
};

static const struct edit path_rows[] = {
    {"a path that alone is over the limit", S("/3456789012345678"), false},
    {"a path is replaced", S("/new"), true},
    {"a path of the limit", S("/4567890123"), true}, /* with "?old" 15 bytes */
    {"a path over the limit", S("/45678901234"), false},
    {"a path without a slash", S("new"), false},
    {"an empty path", S(""), false},
    {"a path with a query in it", S("/a?b"), false},
    {"a path with a blank", S("/a b"), false},
    {"a path with a line break", S("/a\r\nb"), false},
    {"a path with a fragment", S("/a#b"), false},
    {"a path with a NUL", S("/a\0"), false},
    {"a path with a high byte", S("/\xc3\xa4"), false},
};

static void check_path(void **state)
{
    const struct edit *row = *state;
    struct request r;
    assert_int_equal(read(SLICE("GET /p?old HTTP/1.1\r\nHost: a" END), &r).status, 0);
    assert_int_equal(request_set_path(&r, row->text, 15), row->good);
    assert_slice(r.path, row->good ? row->text : SLICE("/p"));
    assert_text(r.query, "old");
}

static const struct edit query_rows[] = {
    {"a query is replaced", S("new"), true},
    {"a query may hold question marks and slashes", S("a?/b"), true},
    {"a query may be empty", S(""), true},
    {"a query of the limit", S("456789012345"), true}, /* with "/p?" 15 bytes */
    {"a query over the limit", S("4567890123456"), false},
    {"a query with a blank", S("a b"), false},
    {"a query with a line break", S("a\r\nb"), false},
    {"a query with a fragment", S("a#b"), false},
};

static void check_query(void **state)
{
    const struct edit *row = *state;
    struct request r;
    assert_int_equal(read(SLICE("GET /p?old HTTP/1.1\r\nHost: a" END), &r).status, 0);
    assert_int_equal(request_set_query(&r, row->text, 15), row->good);
    assert_slice(r.query, row->good ? row->text : SLICE("old"));
    assert_non_null(r.query.at);
}

static void a_query_can_be_removed(void **state)
{
    (void)state;
    struct request r;
    assert_int_equal(read(SLICE("GET /p?old HTTP/1.1\r\nHost: a" END), &r).status, 0);
    assert_true(request_set_query(&r, slice_of(NULL, 0), 2));
    assert_null(r.query.at);
    assert_false(request_set_query(&r, SLICE(""), 2));
    assert_true(request_set_path(&r, SLICE("/q"), 2));
}

static void edits_fail_when_memory_is_out(void **state)
{
    (void)state;
    struct request r;
    assert_int_equal(read(SLICE("GET /p HTTP/1.1\r\nHost: a" END), &r).status, 0);
    while (arena_alloc(&arena, 16))
        ;
    assert_false(request_set_path(&r, SLICE("/a-path-longer-than-16-bytes"), 100));
    assert_false(request_set_query(&r, SLICE("a-query-longer-than-16-bytes"), 100));
    assert_text(r.path, "/p");
    assert_null(r.query.at);
}

int main(void)
{
    FACT_ADD_TABLE(verdict_rows, check_verdict);
    FACT_ADD_TABLE(target_rows, check_target);
    FACT_ADD_TABLE(keep_alive_rows, check_keep_alive);
    FACT_ADD_TABLE(answer_here_rows, check_answer_here);
    FACT_ADD_TABLE(path_rows, check_path);
    FACT_ADD_TABLE(query_rows, check_query);
    fact_add("framing, expectation and upgrade are asked for",
             framing_expectation_and_upgrade_are_asked_for, NULL);
    fact_add("HEAD is HEAD in upper case", head_is_head_in_upper_case, NULL);
    fact_add("a refused request can still be logged", a_refused_request_can_still_be_logged, NULL);
    fact_add("a query can be removed", a_query_can_be_removed, NULL);
    fact_add("edits fail when memory is out", edits_fail_when_memory_is_out, NULL);
    int failed = fact_run("request");
    arena_free(&arena);
    return failed;
}
