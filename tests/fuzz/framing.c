/*
 * fuzz framing: any bytes as the head of a request, and as that of a response.
 *
 * Must hold: where the head passes, the length of its body is what a second reader says, which
 * works on the raw lines with a reading of its own (RFC 9112 sections 6.1 to 6.3) and knows neither
 * fields nor ids.
 */
#include "http/request.h"
#include "http/response.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

static const struct lint_limits limits = {8192, 32768, 128};

/* What the second reader finds of one name: how often, and the last value. */
struct found {
    size_t times;
    const char *value;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void keep_value(struct found *f, const char *from, const char *to)
{
    while (from < to && is_blank(*from))
        from++;
    while (from < to && is_blank(to[-1]))
        to--;
    f->value = from;
    f->len = (size_t)(to - from);
    f->times++;
}

/* Whatever a lenient server might take for this name: letters in any case, blanks around it. */
static bool is_named(const char *line, const char *colon, const char *name)
{
    while (colon > line && is_blank(colon[-1]))
        colon--;
    while (line < colon && (is_blank(*line) || *line == '\r'))
        line++;
    size_t len = strlen(name);
    return (size_t)(colon - line) == len && strncasecmp(line, name, len) == 0;
}

static struct found find(struct slice head, const char *name)
{
    struct found f = {0};
    const char *end = head.at + head.len;
    for (const char *line = head.at; line < end;) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        const char *stop = lf == NULL ? end : lf;
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (colon != NULL && is_named(line, colon, name))
            keep_value(&f, colon + 1, stop > line && stop[-1] == '\r' ? stop - 1 : stop);
        line = stop + 1;
    }
    return f;
}

/* Digits, behind any zeros at most 19 of them, as a number up to 2^63-1. */
static bool is_length(struct found f, uint64_t *length)
{
    char digits[20] = "";
    size_t zeros = 0;
    while (zeros < f.len && f.value[zeros] == '0')
        zeros++;
    if (f.len == 0 || f.len - zeros >= sizeof digits)
        return false;
    memcpy(digits, f.value + zeros, f.len - zeros);
    *length = strtoull(digits, NULL, 10);
    return strspn(digits, "0123456789") == f.len - zeros && *length <= INT64_MAX;
}

static bool is_chunked(struct found f)
{
    return f.len == strlen("chunked") && strncasecmp(f.value, "chunked", f.len) == 0;
}

/* What the fields say; `silent` is what it means when they say nothing. False: refuse. */
static bool read_framing(struct slice head, bool is_old, enum framing_kind silent,
                         struct framing *out)
{
    struct found coding = find(head, "transfer-encoding");
    struct found length = find(head, "content-length");
    *out = (struct framing){.kind = silent};
    if (coding.times + length.times > 1)
        return false;
    if (coding.times == 1) {
        out->kind = FRAMING_CHUNKED;
        return !is_old && is_chunked(coding);
    }
    if (length.times == 1) {
        out->kind = FRAMING_LENGTH;
        return is_length(length, &out->length);
    }
    return true;
}

static void check(bool good, struct framing want, struct fault fault, struct framing got)
{
    assert(good == !fault_is(fault));
    if (good)
        assert(got.kind == want.kind && got.length == want.length);
}

static void check_request(struct slice bytes, struct arena *arena)
{
    struct head head;
    struct framing want, got;
    bool disagreed;
    if (fault_is(head_read_request(&head, arena, bytes, &limits, &disagreed)))
        return;
    bool good = read_framing(bytes, head.minor == 0, FRAMING_NONE, &want);
    struct fault fault = framing_of_request(&head, &got);
    assert(!fault_is(fault) || fault.status == 400 || fault.status == 501);
    check(good, want, fault, got);
    assert(framing_has_body(got) == (got.kind == FRAMING_CHUNKED || got.length > 0));
}

static void check_response(struct slice bytes, bool to_head, struct arena *arena)
{
    struct head head;
    struct framing want, got;
    bool disagreed;
    if (fault_is(head_read_response(&head, arena, bytes, &limits, &disagreed)))
        return;
    bool good = read_framing(bytes, head.minor == 0, FRAMING_CLOSE, &want);
    if (head.status < 200)
        good = true;
    if (to_head || head.status < 200 || head.status == 204 || head.status == 304)
        want = (struct framing){.kind = FRAMING_NONE};
    struct fault fault = framing_of_response(&head, to_head, &got);
    assert(!fault_is(fault) || fault.status == 502);
    check(good, want, fault, got);
}

/* Up to the first empty line: what stands behind it is not the head's. */
static struct slice head_of(struct slice bytes)
{
    const char *end = bytes.len > 0 ? memmem(bytes.at, bytes.len, "\r\n\r\n", 4) : NULL;
    return end == NULL ? bytes : slice_of(bytes.at, (size_t)(end - bytes.at) + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice head = head_of(slice_of((const char *)bytes, size));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    check_request(head, &arena);
    check_response(head, false, &arena);
    check_response(head, true, &arena);
    arena_free(&arena);
    return 0;
}
