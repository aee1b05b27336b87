/*
 * fuzz rewrite: any bytes as a trailer section.
 *
 * Must hold, where chunk takes it: what is handed on are exactly the lines whose names are not on
 * the list below (RFC 9110 section 6.5.1), in no letter case and with no '_' for a '-', in their
 * order, each as "name: value"; and handing it on twice changes nothing more.
 */
#include "http/chunk.h"
#include "http/rewrite.h"

#include <assert.h>

#define WRITTEN_MAX (4 * CHUNK_TRAILER_MAX)

static const char *const never[] = {
    "accept",
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "set-cookie",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
};

static bool is_name(struct slice s, const char *name)
{
    if (s.len != strlen(name))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (slice_lower(s.at[i] == '_' ? '-' : s.at[i]) != name[i])
            return false;
    return true;
}

static bool is_forbidden(struct slice name)
{
    size_t prefix = strlen("x-forwarded-");
    if (name.len >= prefix && is_name(slice_of(name.at, prefix), "x-forwarded-"))
        return true;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (is_name(name, never[i]))
            return true;
    return false;
}

static void put(struct buf *out, struct slice s)
{
    bool fits = buf_append_slice(out, s);
    assert(fits);
}

/* What may be handed on, found anew. */
static void filter(struct buf *out, struct slice lines)
{
    while (lines.len > 0) {
        size_t end = slice_find(lines, '\r');
        size_t colon = slice_find(lines, ':');
        assert(lines.len - end >= 2 && lines.at[end + 1] == '\n' && colon > 0 && colon < end);
        if (!is_forbidden(slice_of(lines.at, colon))) {
            put(out, slice_of(lines.at, colon));
            put(out, SLICE(": "));
            put(out, slice_trim(slice_of(lines.at + colon + 1, end - colon - 1)));
            put(out, SLICE("\r\n"));
        }
        lines = slice_skip(lines, end + 2);
    }
}

static void check_lines(struct slice lines)
{
    struct buf want, once, twice;
    buf_init(&want, WRITTEN_MAX);
    buf_init(&once, WRITTEN_MAX);
    buf_init(&twice, WRITTEN_MAX);
    filter(&want, lines);
    bool written = rewrite_trailers(&once, lines);
    assert(written && slice_equals(buf_slice(&once), buf_slice(&want)));
    written = rewrite_trailers(&twice, buf_slice(&once));
    assert(written && slice_equals(buf_slice(&twice), buf_slice(&want)));
    buf_free(&want);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice last = CHUNK_LAST;
    struct slice in = slice_of((const char *)bytes, size);
    struct slice lines = {0}, out;
    struct chunk c;
    chunk_init(&c);
    enum chunk_event event = chunk_decode(&c, &last, &out);
    assert(event == CHUNK_MORE);
    event = chunk_decode(&c, &in, &out);
    if (event == CHUNK_TRAILER) {
        lines = out;
        event = chunk_decode(&c, &in, &out);
    }
    if (event == CHUNK_END)
        check_lines(lines);
    return 0;
}
