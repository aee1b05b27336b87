/*
 * What is written for the next hop, byte for byte.
 */
#include "http/rewrite.h"
#include "http/writer.h"

#include "message.h"

#include <stdio.h>

static struct request request_of(const char *method, const char *path, const char *fields)
{
    struct request q = {.head = message_head(fields)};
    const struct field *host = head_find(&q.head, FIELD_HOST);
    q.head.method = slice_of_string(method);
    q.path = slice_of_string(path);
    if (host != NULL)
        q.host = host->value;
    return q;
}

static struct rewrite_request plain(const struct request *q)
{
    return (struct rewrite_request){.request = q, .framing = q->framing, .scheme = SLICE("http")};
}

static void assert_written(const struct buf *out, const char *want)
{
    assert_slice(buf_slice(out), want);
}

static void assert_request(const struct rewrite_request *r, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_true(rewrite_request(&out, r));
    assert_written(&out, want);
    buf_free(&out);
}

static void assert_response(const struct rewrite_response *r, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_true(rewrite_response(&out, r));
    assert_written(&out, want);
    buf_free(&out);
}

static void a_request_is_written_anew_with_host_first(void **test)
{
    struct request q = request_of("GET", "/a", "User-agent: x\nHost: h:80\naCCept: */*");
    struct rewrite_request r = plain(&q);
    (void)test;
    q.query = SLICE("b=c");
    q.head.target = SLICE("http://h:80/never?read");
    r.client = SLICE("192.0.2.1");
    r.via = SLICE("interim");
    assert_request(&r, "GET /a?b=c HTTP/1.1\r\n"
                       "Host: h:80\r\n"
                       "User-agent: x\r\n"
                       "aCCept: */*\r\n"
                       "X-Forwarded-For: 192.0.2.1\r\n"
                       "X-Forwarded-Host: h:80\r\n"
                       "X-Forwarded-Proto: http\r\n"
                       "Via: 1.1 interim\r\n\r\n");
}

static void an_http10_request_without_host_gets_an_empty_one(void **test)
{
    struct request q = request_of("GET", "/", "");
    struct rewrite_request r = plain(&q);
    (void)test;
    q.head.minor = 0;
    r.via = SLICE("me");
    assert_request(&r, "GET / HTTP/1.1\r\n"
                       "Host: \r\n"
                       "X-Forwarded-Proto: http\r\n"
                       "Via: 1.0 me\r\n\r\n");
}

static void an_empty_query_is_not_no_query(void **test)
{
    struct request q = request_of("OPTIONS", "*", "Host: h");
    struct rewrite_request r = plain(&q);
    (void)test;
    assert_request(&r, "OPTIONS * HTTP/1.1\r\nHost: h\r\n"
                       "X-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\n\r\n");
    q.path = SLICE("/");
    q.query = SLICE("");
    assert_request(&r, "OPTIONS /? HTTP/1.1\r\nHost: h\r\n"
                       "X-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\n\r\n");
}

#define TAIL "X-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\n\r\n"

/* For tests about single fields: what a request with these fields becomes. */
static void assert_fields(const char *method, const char *fields, const char *want)
{
    char head[2048];
    char full[4096];
    snprintf(head, sizeof head, "Host: h\n%s", fields);
    struct request q = request_of(method, "/", head);
    struct rewrite_request r = plain(&q);
    snprintf(full, sizeof full, "%s / HTTP/1.1\r\nHost: h\r\n%s" TAIL, method, want);
    assert_request(&r, full);
}

static void a_request_id_is_added_where_there_is_none(void **test)
{
    struct request q = request_of("GET", "/", "Host: h\nX_Request_Id: 1\ntraceparent: any");
    struct rewrite_request r = plain(&q);
    (void)test;
    r.id = SLICE("0127");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\ntraceparent: any\r\n"
                       "X-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\n"
                       "X-Request-Id: 0127\r\n\r\n");
    q = request_of("GET", "/", "Host: h\nConnection: x-request-id\nx-request-id: 1");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nx-request-id: 1\r\n" TAIL);
}

static void what_belongs_to_one_hop_is_removed_from_a_request(void **test)
{
    (void)test;
    assert_fields("GET",
                  "Connection: keep-alive, X-Hop\nx-hop: 1\nKeep-Alive: 5\nA: b\n"
                  "Proxy-Connection: close\nTE: gzip\nTransfer-Encoding: chunked\n"
                  "Upgrade: h2c\nHTTP2-Settings: AAA\nTrailer: X-T\nExpect: 100-continue",
                  "A: b\r\n");
    assert_fields("GET", "Connection: a\nA: 1\nB: 2\nC: 3\nConnection: C\nA: 4", "B: 2\r\n");
    assert_fields("GET", "Connection: connection\nConnection: close", "");
}

static void repeated_fields_keep_order_and_bytes(void **test)
{
    (void)test;
    assert_fields("GET", "B: 1\nA: \xe9 \"q\"\nb: 2\nCookie: x\nCookie: y",
                  "B: 1\r\nA: \xe9 \"q\"\r\nb: 2\r\nCookie: x\r\nCookie: y\r\n");
}

static void nobody_names_away_what_authenticates(void **test)
{
    (void)test;
    assert_fields("GET",
                  "Connection: authorization, cookie, via\nAuthorization: a\nCookie: b\n"
                  "Via: 1.1 x",
                  "Authorization: a\r\nCookie: b\r\nVia: 1.1 x\r\n");
}

/* What a policy sets is its own: nothing that the client says of its fields can take it away. */
static void what_was_set_here_passes_whatever_the_client_nominates(void **test)
{
    struct request q = request_of("GET", "/", "Host: h\nConnection: x-a, x-b\nX-B: 1");
    struct rewrite_request r = plain(&q);
    (void)test;
    assert_true(head_add(&q.head, SLICE("X-A"), SLICE("2")));
    assert_true(head_add(&q.head, SLICE("x_request_id"), SLICE("3")));
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-A: 2\r\nx_request_id: 3\r\n" TAIL);
}

static void what_was_set_here_of_the_way_goes_as_it_was_set(void **test)
{
    struct request q = request_of("GET", "/", "Host: h\nX-Forwarded-For: 1\nX-Forwarded-Host: b");
    struct rewrite_request r = plain(&q);
    (void)test;
    r.client = SLICE("192.0.2.1");
    assert_true(head_set(&q.head, SLICE("X-Forwarded-For"), SLICE("198.51.100.7")));
    assert_true(head_set(&q.head, SLICE("X-Forwarded-Host"), SLICE("own")));
    assert_true(head_set(&q.head, SLICE("X-Forwarded-Proto"), SLICE("https")));
    for (int trusted = 0; trusted <= 1; trusted++) {
        r.trusted = trusted;
        assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.7\r\n"
                           "X-Forwarded-Host: own\r\nX-Forwarded-Proto: https\r\n\r\n");
    }
}

static void what_was_set_here_passes_whatever_the_origin_nominates(void **test)
{
    struct head h = message_head("Connection: x-a, x-b\nX-B: 1");
    struct rewrite_response r = {.head = &h, .framing = {FRAMING_NONE, 0}};
    (void)test;
    h.status = 204;
    h.reason = SLICE("No Content");
    assert_true(head_set(&h, SLICE("X-A"), SLICE("2")));
    assert_response(&r, "HTTP/1.1 204 No Content\r\nX-A: 2\r\n\r\n");
}

static void names_that_pose_as_others_are_dropped(void **test)
{
    (void)test;
    assert_fields(
        "GET",
        "X_Forwarded_For: 1\nX-Forwarded_For: 2\ncontent_length: 3\nTransfer_Encoding: c\n"
        "Sec_WebSocket_Accept: 4\nmy_field: 5\n_: 6\n"
        "a_name_that_is_longer_than_any_name_the_proxy_knows: 7",
        "my_field: 5\r\n_: 6\r\n"
        "a_name_that_is_longer_than_any_name_the_proxy_knows: 7\r\n");
}

static void max_forwards_counts_down_for_trace_and_options_only(void **test)
{
    (void)test;
    assert_fields("TRACE", "Max-Forwards: 10", "Max-Forwards: 9\r\n");
    assert_fields("OPTIONS", "max-forwards: 1", "max-forwards: 0\r\n");
    assert_fields("OPTIONS", "Max-Forwards: 0", "Max-Forwards: 0\r\n");
    assert_fields("OPTIONS", "Max-Forwards: many", "Max-Forwards: many\r\n");
    assert_fields("GET", "Max-Forwards: 10", "Max-Forwards: 10\r\n");
}

static void te_passes_as_trailers_or_not_at_all(void **test)
{
    (void)test;
    assert_fields("GET", "TE: gzip, Trailers;q=1", "");
    assert_fields("GET", "Connection: TE\nTE: gzip, Trailers",
                  "TE: trailers\r\nConnection: TE\r\n");
    struct request q = request_of("GET", "/", "Host: h\nTE: trailers");
    struct rewrite_request r = plain(&q);
    q.head.minor = 0;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\n" TAIL);
}

static void framing_comes_from_the_decision_and_not_from_the_fields(void **test)
{
    struct request q =
        request_of("PUT", "/", "Host: h\nContent-length: 007\nA: b\nTransfer-Encoding: x");
    struct rewrite_request r = plain(&q);
    (void)test;
    r.framing = (struct framing){FRAMING_LENGTH, 7};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nContent-length: 7\r\nA: b\r\n" TAIL);
    r.framing = (struct framing){FRAMING_CHUNKED, 0};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nA: b\r\nTransfer-Encoding: chunked\r\n" TAIL);
    r.framing = (struct framing){FRAMING_NONE, 0};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nA: b\r\n" TAIL);

    q = request_of("PUT", "/", "Host: h\nContent-Length: 7\nContent-Length: 8");
    r.framing = (struct framing){FRAMING_LENGTH, 7};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n" TAIL);
    q = request_of("PUT", "/", "Host: h\nA: b");
    r.framing = (struct framing){FRAMING_LENGTH, UINT64_C(9223372036854775807)};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nA: b\r\n"
                       "Content-Length: 9223372036854775807\r\n" TAIL);
    r.framing.length = 0;
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 0\r\n" TAIL);
}

static void trailers_are_announced_when_both_sides_are_chunked(void **test)
{
    struct request q = request_of("PUT", "/", "Host: h\nTrailer: X-Sum");
    struct rewrite_request r = plain(&q);
    (void)test;
    q.framing.kind = r.framing.kind = FRAMING_CHUNKED;
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nTrailer: X-Sum\r\n"
                       "Transfer-Encoding: chunked\r\n" TAIL);
    q.framing = (struct framing){FRAMING_LENGTH, 1};
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" TAIL);
}

static void only_the_canonical_expectation_is_written(void **test)
{
    struct request q = request_of("PUT", "/", "Host: h\neXpect: 100-Continue\nContent-Length: 5");
    struct rewrite_request r = plain(&q);
    (void)test;
    r.framing = (struct framing){FRAMING_LENGTH, 5};
    r.expect = true;
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                       "Expect: 100-continue\r\n" TAIL);
    r.expect = false;
    assert_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" TAIL);
}

static void an_upgrade_names_what_is_forwarded_and_nothing_else(void **test)
{
    struct request q = request_of("GET", "/",
                                  "Host: h\nConnection: Upgrade, HTTP2-Settings\n"
                                  "Upgrade: websocket, h2c, foo\nHTTP2-Settings: AAA\n"
                                  "Sec-WebSocket-Key: k\nSec-WebSocket-Version: 13");
    struct upgrade_offers offers = {{SLICE_INIT("websocket")}, 1};
    struct rewrite_request r = plain(&q);
    (void)test;
    r.upgrade = &offers;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\n"
                       "Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n"
                       "Upgrade: websocket\r\nConnection: upgrade\r\n" TAIL);
    offers = (struct upgrade_offers){{SLICE_INIT("foo"), SLICE_INIT("websocket")}, 2};
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\n"
                       "Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n"
                       "Upgrade: foo, websocket\r\nConnection: upgrade\r\n" TAIL);
    offers.count = 0;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\n"
                       "Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n" TAIL);
}

static void http2_settings_pass_with_h2c_alone(void **test)
{
    struct request q = request_of("GET", "/",
                                  "Host: h\nConnection: Upgrade, HTTP2-Settings, TE\nUpgrade: h2c\n"
                                  "TE: trailers\nHTTP2-Settings: AAA");
    struct upgrade_offers offers = {{SLICE_INIT("h2c")}, 1};
    struct rewrite_request r = plain(&q);
    (void)test;
    r.upgrade = &offers;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nHTTP2-Settings: AAA\r\nUpgrade: h2c\r\n"
                       "TE: trailers\r\nConnection: upgrade, HTTP2-Settings, TE\r\n" TAIL);
    q = request_of("GET", "/", "Host: h\nConnection: Upgrade\nUpgrade: h2c");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n" TAIL);
}

#define FORWARDED                                                                                  \
    "Host: h\nX-Forwarded-For: 1\nX-Forwarded-Proto: https\nX-Forwarded-Host: o\n"                 \
    "X-Forwarded-For: 2"

#define ELSE "Forwarded: for=1\nX-Forwarded-Port: 2\nX_forwarded-Prefix: /\n"

static void a_strangers_forwarding_fields_are_replaced(void **test)
{
    struct request q = request_of("GET", "/", FORWARDED);
    struct rewrite_request r = plain(&q);
    (void)test;
    r.client = SLICE("::1");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: ::1\r\n" TAIL);
    r.client = SLICE("");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\n" TAIL);
}

static void what_else_tells_of_the_way_is_a_trusted_proxys_or_dropped(void **test)
{
    struct request q = request_of("GET", "/", "Host: h\n" ELSE "X-Forward: 3\nForwarded-X: 4");
    struct rewrite_request r = plain(&q);
    (void)test;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forward: 3\r\nForwarded-X: 4\r\n" TAIL);
    r.trusted = true;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nForwarded: for=1\r\nX-Forwarded-Port: 2\r\n"
                       "X_forwarded-Prefix: /\r\nX-Forward: 3\r\nForwarded-X: 4\r\n" TAIL);
    r.trusted = false;
    assert_true(head_set(&q.head, SLICE("Forwarded"), SLICE("for=own")));
    assert_true(head_set(&q.head, SLICE("X-Forwarded-Port"), SLICE("5")));
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nForwarded: for=own\r\nX-Forwarded-Port: 5\r\n"
                       "X-Forward: 3\r\nForwarded-X: 4\r\n" TAIL);
}

static void a_trusted_proxys_forwarding_fields_are_appended_to(void **test)
{
    struct request q = request_of("GET", "/", FORWARDED);
    struct rewrite_request r = plain(&q);
    (void)test;
    r.trusted = true;
    r.client = SLICE("::1");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n"
                       "X-Forwarded-Proto: https\r\nX-Forwarded-Host: o\r\n"
                       "X-Forwarded-For: 2, ::1\r\n\r\n");
    r.client = SLICE("");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n"
                       "X-Forwarded-Proto: https\r\nX-Forwarded-Host: o\r\n"
                       "X-Forwarded-For: 2\r\n\r\n");
    q = request_of("GET", "/", "Host: h\nX-Forwarded-For:");
    r.client = SLICE("::1");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: ::1\r\n" TAIL);
    q = request_of("GET", "/", "Host: h");
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: ::1\r\n" TAIL);
}

static struct head response_head(int status, const char *reason, const char *fields)
{
    struct head h = message_head(fields);
    h.status = status;
    h.reason = slice_of_string(reason);
    return h;
}

static void a_response_passes_without_what_belongs_to_one_hop(void **test)
{
    struct head h = response_head(200, "Fine \xe9",
                                  "X-a: 1\nConnection: close, X-Hop\nX-Hop: 2\nKeep-Alive: 3\n"
                                  "Upgrade: h2c\nTE: x\nProxy-Connection: y\nSet-Cookie: a\n"
                                  "set-cookie: b\nServer: s\nDate: d\nTransfer-Encoding: chunked\n"
                                  "Trailer: T\nX_Forwarded_For: z");
    struct rewrite_response r = {.head = &h, .framing = {FRAMING_CHUNKED, 0}};
    (void)test;
    r.via = SLICE("interim");
    r.date = SLICE("now");
    assert_response(&r, "HTTP/1.1 200 Fine \xe9\r\nX-a: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
                        "Server: s\r\nDate: d\r\nTrailer: T\r\nX_Forwarded_For: z\r\n"
                        "Transfer-Encoding: chunked\r\nVia: 1.1 interim\r\n\r\n");
    r.framing.kind = FRAMING_CLOSE;
    r.close = true;
    h.minor = 0;
    assert_response(&r, "HTTP/1.1 200 Fine \xe9\r\nX-a: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
                        "Server: s\r\nDate: d\r\nX_Forwarded_For: z\r\n"
                        "Connection: close\r\nVia: 1.0 interim\r\n\r\n");
}

static void a_response_without_date_gets_one_and_server_is_never_invented(void **test)
{
    struct head h = response_head(204, "", "");
    struct rewrite_response r = {.head = &h};
    (void)test;
    assert_response(&r, "HTTP/1.1 204 \r\n\r\n");
    r.date = SLICE("Mon, 23 Nov 2026 07:00:00 GMT");
    r.keep_alive = true;
    assert_response(&r, "HTTP/1.1 204 \r\nDate: Mon, 23 Nov 2026 07:00:00 GMT\r\n"
                        "Connection: keep-alive\r\n\r\n");
    h = response_head(200, "OK", "Connection: date\nDate: d");
    r.keep_alive = false;
    assert_response(&r, "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n");
}

static void a_response_has_the_length_that_was_decided(void **test)
{
    struct head h = response_head(200, "OK", "A: b\nContent-length: 5\nC: d");
    struct rewrite_response r = {.head = &h, .framing = {FRAMING_LENGTH, 5}};
    (void)test;
    assert_response(&r, "HTTP/1.1 200 OK\r\nA: b\r\nContent-length: 5\r\nC: d\r\n\r\n");
    r.framing.kind = FRAMING_CHUNKED;
    assert_response(&r, "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nTransfer-Encoding: chunked\r\n\r\n");
    r.framing.kind = FRAMING_NONE;
    assert_response(&r, "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    r.keep_framing_fields = true;
    assert_response(&r, "HTTP/1.1 200 OK\r\nA: b\r\nContent-length: 5\r\nC: d\r\n\r\n");
    h = response_head(200, "OK", "Content-Length: 5\nContent-Length: 6");
    r = (struct rewrite_response){.head = &h, .framing = {FRAMING_LENGTH, 5}};
    assert_response(&r, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    h = response_head(200, "OK", "");
    r.framing.length = 0;
    assert_response(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void trailers_of_a_response_are_announced_if_it_was_chunked(void **test)
{
    struct head h = response_head(200, "OK", "Trailer: T");
    struct rewrite_response r = {.head = &h, .framing = {FRAMING_CHUNKED, 0}};
    (void)test;
    assert_response(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void a_426_keeps_its_upgrade(void **test)
{
    struct head h = response_head(426, "Upgrade Required", "Upgrade: foo/2, bar\nConnection: x");
    struct rewrite_response r = {.head = &h, .close = true};
    (void)test;
    assert_response(&r, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo/2, bar\r\n"
                        "Connection: close, upgrade\r\n\r\n");
    h = response_head(426, "Upgrade Required", "");
    assert_response(&r, "HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\n\r\n");
}

static void an_interim_response_frames_nothing(void **test)
{
    struct head h = response_head(103, "Early \xe9",
                                  "Link: </a>\nContent-Length: 5\nTransfer-Encoding: chunked\n"
                                  "Trailer: T\nConnection: close, X-Hop\nX-Hop: 1\nUpgrade: u\n"
                                  "link: </b>\nKeep-Alive: 1");
    struct buf out;
    (void)test;
    buf_init(&out, 4096);
    assert_true(rewrite_interim(&out, &h, SLICE("interim")));
    assert_written(&out, "HTTP/1.1 103 Early \xe9\r\nLink: </a>\r\nlink: </b>\r\n"
                         "Via: 1.1 interim\r\n\r\n");
    buf_clear(&out);
    h = response_head(199, "", "");
    assert_true(rewrite_interim(&out, &h, SLICE("")));
    assert_written(&out, "HTTP/1.1 199 \r\n\r\n");
    buf_free(&out);
}

static void a_101_has_its_upgrade_written_anew(void **test)
{
    struct head h = response_head(101, "Switching Protocols",
                                  "upgrade: foo,, bar/2\nSec-WebSocket-Accept: a\nUpgrade: baz\n"
                                  "Connection: Upgrade, X-Hop\nX-Hop: 1\nContent-Length: 5\n"
                                  "Sec-WebSocket-Protocol: chat");
    struct buf out;
    (void)test;
    buf_init(&out, 4096);
    assert_true(rewrite_switching(&out, &h, SLICE("interim")));
    assert_written(&out, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\n"
                         "Sec-WebSocket-Protocol: chat\r\nUpgrade: foo, bar/2, baz\r\n"
                         "Connection: upgrade\r\nVia: 1.1 interim\r\n\r\n");
    buf_free(&out);
}

static void trailers_never_frame_route_authenticate_or_control(void **test)
{
    static const char lines[] =
        "X-Sum: 1\r\nContent-Length: 2\r\nHost: 3\r\nAuthorization: 4\r\n"
        "cookie: 5\r\nContent-Type: 6\r\nIf-Match: 7\r\nConnection: 8\r\n"
        "Content_Length: 9\r\nX_Real_IP: 10\r\nETag: \t 11 \r\nVary: 12\r\n"
        "X-Forwarded-For: 13\r\nX_Forwarded-Port: 13\r\nempty:\r\nno field\r\n"
        "X-A-Name-Longer-Than-Any-The-Proxy-Knows: 14\r\n";
    struct buf out;
    (void)test;
    buf_init(&out, 4096);
    assert_true(rewrite_trailers(&out, SLICE("")));
    assert_written(&out, "");
    assert_true(rewrite_trailers(&out, SLICE(lines)));
    assert_written(&out, "X-Sum: 1\r\nETag: 11\r\nempty: \r\n"
                         "X-A-Name-Longer-Than-Any-The-Proxy-Knows: 14\r\n");
    buf_free(&out);
}

static void without_room_nothing_is_written(void **test)
{
    struct request q = request_of("GET", "/a", FORWARDED "\nConnection: upgrade, TE\nTE: trailers");
    struct upgrade_offers offers = {{SLICE_INIT("a"), SLICE_INIT("b")}, 2};
    struct rewrite_request r = plain(&q);
    struct buf out;
    (void)test;
    q.query = SLICE("q");
    r.framing = (struct framing){FRAMING_LENGTH, 5};
    r.upgrade = &offers;
    r.client = r.via = SLICE("x");
    buf_init(&out, 4096);
    assert_true(rewrite_request(&out, &r));
    size_t len = buf_len(&out);
    buf_free(&out);
    for (size_t room = 0; room < len; room++) {
        buf_init(&out, room + 3);
        assert_true(buf_append_string(&out, "old"));
        assert_false(rewrite_request(&out, &r));
        assert_written(&out, "old");
        buf_free(&out);
    }
    buf_init(&out, len);
    assert_true(rewrite_request(&out, &r));
    buf_free(&out);
}

static void too_many_nominations_are_not_searched(void **test)
{
    char fields[1024] = "Host: h\nConnection: ";
    for (int i = 0; i < WRITER_NOMINATED_MAX; i++)
        snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "x%d,", i);
    size_t len = strlen(fields);
    snprintf(fields + len, sizeof fields - len, "\nx63: 1\nx64: 2");
    struct request q = request_of("GET", "/", fields);
    struct rewrite_request r = plain(&q);
    struct buf out;
    (void)test;
    assert_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nx64: 2\r\n" TAIL);
    snprintf(fields + len, sizeof fields - len, "y\nA: b");
    q = request_of("GET", "/", fields);
    buf_init(&out, 4096);
    assert_false(rewrite_request(&out, &r));
    assert_int_equal(buf_len(&out), 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGE_TEST(a_request_is_written_anew_with_host_first),
        MESSAGE_TEST(an_http10_request_without_host_gets_an_empty_one),
        MESSAGE_TEST(an_empty_query_is_not_no_query),
        MESSAGE_TEST(a_request_id_is_added_where_there_is_none),
        MESSAGE_TEST(what_belongs_to_one_hop_is_removed_from_a_request),
        MESSAGE_TEST(repeated_fields_keep_order_and_bytes),
        MESSAGE_TEST(nobody_names_away_what_authenticates),
        MESSAGE_TEST(what_was_set_here_passes_whatever_the_client_nominates),
        MESSAGE_TEST(what_was_set_here_of_the_way_goes_as_it_was_set),
        MESSAGE_TEST(what_was_set_here_passes_whatever_the_origin_nominates),
        MESSAGE_TEST(names_that_pose_as_others_are_dropped),
        MESSAGE_TEST(max_forwards_counts_down_for_trace_and_options_only),
        MESSAGE_TEST(te_passes_as_trailers_or_not_at_all),
        MESSAGE_TEST(framing_comes_from_the_decision_and_not_from_the_fields),
        MESSAGE_TEST(trailers_are_announced_when_both_sides_are_chunked),
        MESSAGE_TEST(only_the_canonical_expectation_is_written),
        MESSAGE_TEST(an_upgrade_names_what_is_forwarded_and_nothing_else),
        MESSAGE_TEST(http2_settings_pass_with_h2c_alone),
        MESSAGE_TEST(a_strangers_forwarding_fields_are_replaced),
        MESSAGE_TEST(what_else_tells_of_the_way_is_a_trusted_proxys_or_dropped),
        MESSAGE_TEST(a_trusted_proxys_forwarding_fields_are_appended_to),
        MESSAGE_TEST(a_response_passes_without_what_belongs_to_one_hop),
        MESSAGE_TEST(a_response_without_date_gets_one_and_server_is_never_invented),
        MESSAGE_TEST(a_response_has_the_length_that_was_decided),
        MESSAGE_TEST(trailers_of_a_response_are_announced_if_it_was_chunked),
        MESSAGE_TEST(a_426_keeps_its_upgrade),
        MESSAGE_TEST(an_interim_response_frames_nothing),
        MESSAGE_TEST(a_101_has_its_upgrade_written_anew),
        cmocka_unit_test(trailers_never_frame_route_authenticate_or_control),
        MESSAGE_TEST(without_room_nothing_is_written),
        MESSAGE_TEST(too_many_nominations_are_not_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
