/* A line of the access log is what printf would have written, whatever is in its fields. */
#include "../fact.h"

#include "base/buf.h"
#include "proxy/access_line.h"

#include <arpa/inet.h>
#include <stdio.h>

#define TIME "2026-11-23T07:41:07.888Z"

static const int codes[POLICY_INTERIM_CODES] = {100, 103, 102};

static struct request request;
static struct policy_result result;
static struct addr client;
static struct policy_view view;

static void an_ordinary_exchange(void)
{
    request = (struct request){.host = SLICE("a.example")};
    request.head.method = SLICE("PUT");
    request.head.target = SLICE("/up?load");
    request.head.minor = 1;
    result = (struct policy_result){
        .status = 200,
        .outcome = "upstream",
        .error = "",
        .upstream = "app",
        .address = "127.0.0.1:9000",
        .expect = "forward-100",
        .upgrade = "",
        .interims = codes,
        .interim_count = 3,
        .bytes_in = 3000000,
        .bytes_out = 12,
        .elapsed = 0.0432004,
        .first_byte = 0.00025,
        .reused = true,
    };
    client = (struct addr){.len = sizeof client.to.ip4};
    client.to.ip4.sin_family = AF_INET;
    client.to.ip4.sin_port = htons(46064);
    client.to.ip4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    view = (struct policy_view){.request_id = "0127a790c9000001", .request = &request};
    view.client = &client;
    view.result = &result;
}

static char line[1 << 16];

static struct slice line_of(enum log_form form)
{
    size_t len = access_line_put(line, form, SLICE(TIME), &view);

    assert_true(len <= access_line_most(&view) && len < sizeof line);
    for (size_t i = 0; i + 1 < len; i++)
        assert_in_range(line[i], ' ', '~');
    assert_int_equal(line[len - 1], '\n');
    return slice_of(line, len);
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* The same by printf, for fields that hold nothing to be escaped. */
static struct slice printed_text(char *room, size_t size)
{
    const struct policy_result *r = &result;
    char address[ADDR_TEXT_MAX];
    char tunnel[80] = "";

    if (r->tunnel_in + r->tunnel_out > 0)
        snprintf(tunnel, sizeof tunnel, " tunnel_in=%llu tunnel_out=%llu",
                 (unsigned long long)r->tunnel_in, (unsigned long long)r->tunnel_out);
    int len = snprintf(
        room, size,
        TIME " %s %s \"%.*s %.*s HTTP/1.%u\" %d %s ms=%.1f in=%llu out=%llu upstream=%s address=%s "
             "reused=%s interims=%s expect=%s upgrade=%s%s connect_ms=%.1f first_byte_ms=%.1f"
             "%s%s%s\n",
        view.request_id, addr_text(&client, address), SLICE_ARG(request.head.method),
        SLICE_ARG(request.head.target), request.head.minor, r->status, r->outcome,
        r->elapsed * 1000, (unsigned long long)r->bytes_in, (unsigned long long)r->bytes_out,
        or_dash(r->upstream), or_dash(r->address), r->reused ? "yes" : "no",
        r->interim_count > 0 ? "100,103,102" : "-", or_dash(r->expect), or_dash(r->upgrade), tunnel,
        r->connect * 1000, r->first_byte * 1000, r->error[0] != '\0' ? " error=\"" : "", r->error,
        r->error[0] != '\0' ? "\"" : "");
    return slice_of(room, (size_t)len);
}

static struct slice printed_json(char *room, size_t size)
{
    const struct policy_result *r = &result;
    char address[ADDR_TEXT_MAX];
    int len = snprintf(
        room, size,
        "{\"time\":\"" TIME "\",\"id\":\"%s\",\"client\":\"%s\",\"method\":\"%.*s\","
        "\"target\":\"%.*s\",\"host\":\"%.*s\",\"version\":\"1.%u\",\"status\":%d,"
        "\"outcome\":\"%s\",\"elapsed\":%.6f,\"connect\":%.6f,\"first_byte\":%.6f,"
        "\"bytes_in\":%llu,\"bytes_out\":%llu,\"upstream\":\"%s\",\"address\":\"%s\","
        "\"reused\":%s,\"interims\":[%s],\"interim_count\":%zu,\"expect\":\"%s\","
        "\"upgrade\":\"%s\",\"tunnel_in\":%llu,\"tunnel_out\":%llu,\"trace\":\"\",\"error\":\"%s\"}"
        "\n",
        view.request_id, addr_text(&client, address), SLICE_ARG(request.head.method),
        SLICE_ARG(request.head.target), SLICE_ARG(request.host), request.head.minor, r->status,
        r->outcome, r->elapsed, r->connect, r->first_byte, (unsigned long long)r->bytes_in,
        (unsigned long long)r->bytes_out, r->upstream, r->address, r->reused ? "true" : "false",
        r->interim_count > 0 ? "100,103,102" : "", r->interim_count, r->expect, r->upgrade,
        (unsigned long long)r->tunnel_in, (unsigned long long)r->tunnel_out, r->error);
    return slice_of(room, (size_t)len);
}

static void assert_as_printed(void)
{
    char room[4096];

    assert_slice(line_of(LOG_FORM_TEXT), printed_text(room, sizeof room));
    assert_slice(line_of(LOG_FORM_JSON), printed_json(room, sizeof room));
}

static void it_is_what_printf_would_write(void **state)
{
    (void)state;
    an_ordinary_exchange();
    assert_as_printed();
}

static void also_without_an_answer(void **state)
{
    (void)state;
    an_ordinary_exchange();
    result = (struct policy_result){.outcome = "aborted",
                                    .error = "the client left",
                                    .upstream = "",
                                    .address = "",
                                    .expect = "",
                                    .upgrade = "",
                                    .interims = codes};
    request.head.method = request.head.target = request.host = SLICE("");
    assert_as_printed();
}

static void also_of_a_tunnel(void **state)
{
    (void)state;
    an_ordinary_exchange();
    result.status = 101;
    result.upgrade = "websocket";
    result.tunnel_in = UINT64_MAX;
    result.elapsed = 86400.0 * 400;
    inet_pton(AF_INET6, "2001:db8::7", &client.to.ip6.sin6_addr);
    client.to.ip6.sin6_family = AF_INET6;
    client.to.ip6.sin6_scope_id = 0;
    client.to.ip6.sin6_port = htons(9);
    assert_as_printed();
}

static void more_interims_than_are_kept_are_counted(void **state)
{
    (void)state;
    an_ordinary_exchange();
    result.interim_count = 300;
    assert_non_null(strstr(line_of(LOG_FORM_TEXT).at, ",0,...(300) expect="));
    assert_non_null(strstr(line_of(LOG_FORM_JSON).at, ",0],\"interim_count\":300,"));
}

/* Every byte in every field that somebody else has a hand in. */
static void no_byte_ends_a_line_or_a_field(void **state)
{
    (void)state;
    char every[256];
    char path[64];
    char text[256];

    for (size_t i = 0; i < sizeof every; i++)
        every[i] = (char)i;
    for (size_t from = 1; from < sizeof every; from += sizeof path - 1) {
        size_t len = sizeof every - from < sizeof path - 1 ? sizeof every - from : sizeof path - 1;
        an_ordinary_exchange();
        memcpy(path, every + from, len);
        path[len] = '\0';
        memcpy(text, every + 1, sizeof every - 1);
        text[255] = '\0';
        request.head.method = request.head.target = request.host = slice_of(every, sizeof every);
        result.error = result.upgrade = text;
        result.upstream = result.address = path;
        client.to.local.sun_family = AF_UNIX;
        memcpy(client.to.local.sun_path, path, sizeof path);
        client.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof path);

        struct slice s = line_of(LOG_FORM_TEXT);
        size_t blanks = 0;
        bool quoted = false;
        for (size_t i = 0; i < s.len; i++) {
            if (s.at[i] == '\\')
                i++;
            else if (s.at[i] == '"')
                quoted = !quoted;
            else if (s.at[i] == ' ' && !quoted)
                blanks++;
        }
        assert_false(quoted);
        assert_int_equal(blanks, 17); /* before every field but the first */
        line_of(LOG_FORM_JSON);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_printf_would_write),
        cmocka_unit_test(also_without_an_answer),
        cmocka_unit_test(also_of_a_tunnel),
        cmocka_unit_test(more_interims_than_are_kept_are_counted),
        cmocka_unit_test(no_byte_ends_a_line_or_a_field),
    };

    return cmocka_run_group_tests_name("access line", tests, NULL, NULL);
}
