/*
 * fuzz chunk: any bytes as a chunked body.
 *
 * Must hold:
 *
 * - the decoder comes to the same verdict, data, trailers and end in whatever pieces the bytes
 * come, and whether data is read or taken unread;
 * - a body is whole exactly where a second reader, which works with whole lines, says so;
 * - what was decoded, encoded anew and decoded again, is the same.
 */
#include "base/buf.h"
#include "http/chunk.h"
#include "http/lint.h"

#include <assert.h>

#define BODY_MAX      (1 << 20)
#define EXTENSION_MAX 256
#define EVERY_SPLIT   64 /* bodies of so many bytes are cut in two everywhere */

/* What a body came to. */
struct decoded {
    enum chunk_event verdict;
    size_t used;
    struct buf data;
    struct buf trailers;
};

static void decoded_init(struct decoded *d)
{
    *d = (struct decoded){0};
    buf_init(&d->data, BODY_MAX);
    buf_init(&d->trailers, BODY_MAX);
}

static void decoded_free(struct decoded *d)
{
    buf_free(&d->data);
    buf_free(&d->trailers);
}

static void put(struct buf *b, struct slice s)
{
    bool fits = buf_append_slice(b, s);
    assert(fits);
}

/* One piece of the body. */
static void feed(struct chunk *c, struct slice piece, struct decoded *d)
{
    struct slice in = piece;
    struct slice out;
    do {
        d->verdict = chunk_decode(c, &in, &out);
        if (d->verdict == CHUNK_DATA)
            put(&d->data, out);
        if (d->verdict == CHUNK_TRAILER)
            put(&d->trailers, out);
    } while (d->verdict == CHUNK_DATA || d->verdict == CHUNK_TRAILER);
    assert(d->verdict != CHUNK_MORE || in.len == 0);
    d->used += piece.len - in.len;
}

/* `first` bytes, then `step` bytes at a time. */
static void decode(struct slice body, size_t first, size_t step, struct decoded *d)
{
    struct chunk c;
    decoded_init(d);
    chunk_init(&c);
    feed(&c, slice_of(body.at, first), d);
    while (d->verdict == CHUNK_MORE && d->used < body.len) {
        struct slice rest = slice_skip(body, d->used);
        feed(&c, slice_of(rest.at, rest.len < step ? rest.len : step), d);
    }
    if (d->verdict == CHUNK_BAD)
        assert(c.why != NULL);
}

/* What is known to be data is taken unread, all else is read byte by byte. */
static void decode_unread(struct slice body, struct decoded *d)
{
    struct chunk c;
    decoded_init(d);
    chunk_init(&c);
    d->verdict = CHUNK_MORE;
    while (d->verdict == CHUNK_MORE && d->used < body.len) {
        struct slice rest = slice_skip(body, d->used);
        uint64_t ahead = chunk_ahead(&c);
        size_t n = ahead < rest.len ? (size_t)ahead : rest.len;
        if (n == 0) {
            feed(&c, slice_of(rest.at, 1), d);
            continue;
        }
        put(&d->data, slice_of(rest.at, n));
        chunk_skip(&c, n);
        d->used += n;
    }
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
    assert(a->verdict == b->verdict);
    if (a->verdict == CHUNK_BAD)
        return;
    assert(a->used == b->used);
    assert(slice_equals(buf_slice(&a->data), buf_slice(&b->data)));
    assert(slice_equals(buf_slice(&a->trailers), buf_slice(&b->trailers)));
}

static void check_split(struct slice body, size_t first, size_t step, const struct decoded *whole)
{
    struct decoded d;
    decode(body, first, step, &d);
    check_same(&d, whole);
    decoded_free(&d);
}

static void check_unread(struct slice body, const struct decoded *whole)
{
    struct decoded d;
    decode_unread(body, &d);
    check_same(&d, whole);
    decoded_free(&d);
}

/* ---- the second reader ---- */

static bool take_line(struct slice *rest, struct slice *line)
{
    const char *crlf = rest->len > 0 ? memmem(rest->at, rest->len, "\r\n", 2) : NULL;
    if (crlf == NULL)
        return false;
    *line = slice_of(rest->at, (size_t)(crlf - rest->at));
    *rest = slice_of(crlf + 2, rest->len - line->len - 2);
    return true;
}

static bool read_size(struct slice line, size_t *size)
{
    size_t digits = slice_find(line, ';');
    struct slice extension = slice_skip(line, digits + 1);
    if (digits == 0 || digits > 16 || extension.len > EXTENSION_MAX)
        return false;
    for (size_t i = 0; i < extension.len; i++)
        if (extension.at[i] != '\t' && (extension.at[i] < ' ' || extension.at[i] > '~'))
            return false;
    *size = 0;
    for (size_t i = 0; i < digits; i++) {
        static const char hex[] = "0123456789abcdef";
        char digit = slice_lower(line.at[i]);
        size_t value = digit == '\0' ? 16 : strcspn(hex, (char[]){digit, '\0'});
        if (value == 16)
            return false;
        *size = *size << 4 | value;
    }
    return true;
}

/* True if `body` begins with a whole body, which *d is then. */
static bool read_whole(struct slice body, struct decoded *d)
{
    struct slice rest = body;
    struct slice line, name, value;
    size_t size;
    do {
        if (!take_line(&rest, &line) || !read_size(line, &size) || size > rest.len)
            return false;
        put(&d->data, slice_of(rest.at, size));
        rest = slice_of(rest.at + size, rest.len - size);
        if (size > 0 && (!take_line(&rest, &line) || line.len > 0))
            return false;
    } while (size > 0);
    while (take_line(&rest, &line)) {
        if (line.len == 0) {
            d->used = body.len - rest.len;
            return true;
        }
        if (!lint_field_line(line, &name, &value))
            return false;
        put(&d->trailers, slice_of(line.at, line.len + 2));
    }
    return false;
}

static void check_second_reader(struct slice body, const struct decoded *got)
{
    struct decoded d;
    decoded_init(&d);
    bool whole = read_whole(body, &d);
    assert(whole == (got->verdict == CHUNK_END));
    d.verdict = CHUNK_END;
    if (whole)
        check_same(&d, got);
    decoded_free(&d);
}

/* ---- and back ---- */

static void put_chunk(struct buf *out, struct slice data)
{
    char line[CHUNK_LINE_MAX];
    if (data.len == 0)
        return;
    put(out, slice_of(line, chunk_write_line(line, data.len)));
    put(out, data);
    put(out, SLICE("\r\n"));
}

/* In one chunk and in two. */
static void check_round_trip(const struct decoded *got, size_t first)
{
    struct buf out;
    struct decoded again;
    struct slice data = buf_slice(&got->data);
    buf_init(&out, BODY_MAX);
    put_chunk(&out, slice_of(data.at, first));
    put_chunk(&out, slice_skip(data, first));
    put(&out, CHUNK_LAST);
    put(&out, buf_slice(&got->trailers));
    put(&out, SLICE("\r\n"));
    decode(buf_slice(&out), buf_len(&out), 1, &again);
    assert(again.verdict == CHUNK_END && again.used == buf_len(&out));
    again.used = got->used;
    check_same(&again, got);
    decoded_free(&again);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice body = slice_of((const char *)bytes, size);
    struct decoded whole;
    decode(body, size, 1, &whole);
    check_split(body, 0, 1, &whole);
    check_split(body, 0, 7, &whole);
    for (size_t first = 1; size <= EVERY_SPLIT && first < size; first++)
        check_split(body, first, size, &whole);
    check_unread(body, &whole);
    check_second_reader(body, &whole);
    if (whole.verdict == CHUNK_END) {
        check_round_trip(&whole, 0);
        check_round_trip(&whole, buf_len(&whole.data) / 2);
    }
    decoded_free(&whole);
    return 0;
}
