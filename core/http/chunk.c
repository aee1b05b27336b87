/*
 * chunk: the chunked coding, one byte of framing at a time and data in runs. Owns nothing but the
 * decoder's state. Promises the same verdict however the bytes are split, and that no byte is
 * looked at twice.
 *
 * Next on a body's way: proxy/body, which hands the data on and frames it anew.
 */
#include "http/chunk.h"

#include "http/lint.h"

#include <assert.h>
#include <string.h>

#define DIGITS_MAX    16
#define EXTENSION_MAX 256
#define OVERHEAD_FREE 16384

/* In the order of the wire. */
enum step {
    STEP_SIZE,
    STEP_EXTENSION,
    STEP_SIZE_LF,
    STEP_DATA,
    STEP_DATA_CR,
    STEP_DATA_LF,
    STEP_LINE, /* first byte of a trailer line, or of the empty one */
    STEP_NAME,
    STEP_VALUE,
    STEP_VALUE_LF,
    STEP_END_LF,
    STEP_DONE,
    STEP_BAD,
};

void chunk_init(struct chunk *c)
{
    *c = (struct chunk){.step = STEP_SIZE};
}

static void go(struct chunk *c, enum step step)
{
    c->step = (unsigned char)step;
}

static void refuse(struct chunk *c, const char *why)
{
    c->why = why;
    go(c, STEP_BAD);
}

static int hex_value(unsigned char b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    if (b >= 'a' && b <= 'f')
        return b - 'a' + 10;
    if (b >= 'A' && b <= 'F')
        return b - 'A' + 10;
    return -1;
}

static void take_size(struct chunk *c, unsigned char b)
{
    int digit = hex_value(b);
    if (digit >= 0) {
        if (c->digits == DIGITS_MAX) {
            refuse(c, "a chunk size of more than 16 digits");
            return;
        }
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
    } else if (c->digits == 0) {
        refuse(c, "a chunk size that does not start with a digit");
    } else if (b == '\r') {
        go(c, STEP_SIZE_LF);
    } else if (b == ';') {
        go(c, STEP_EXTENSION);
    } else {
        refuse(c, "a byte in a chunk size that is no digit");
    }
}

static void take_extension(struct chunk *c, unsigned char b)
{
    if (b == '\r')
        go(c, STEP_SIZE_LF);
    else if ((b < ' ' && b != '\t') || b > '~')
        refuse(c, "a byte in a chunk extension that may not be there");
    else if (++c->extension > EXTENSION_MAX)
        refuse(c, "a chunk extension over its limit");
}

static void take_size_lf(struct chunk *c, unsigned char b)
{
    if (b != '\n') {
        refuse(c, "a chunk size line that does not end in CRLF");
        return;
    }
    c->size = c->left;
    go(c, c->left > 0 ? STEP_DATA : STEP_LINE);
}

static void take_data_lf(struct chunk *c, unsigned char b)
{
    if (b != '\n') {
        refuse(c, "chunk data that does not end in CRLF");
        return;
    }
    c->digits = 0;
    c->extension = 0;
    go(c, STEP_SIZE);
}

static void take_line(struct chunk *c, unsigned char b)
{
    if (b == '\r')
        go(c, STEP_END_LF);
    else if (slice_is_token_byte(b))
        go(c, STEP_NAME);
    else
        refuse(c, "a trailer line that does not start with a field name");
}

static void take_name(struct chunk *c, unsigned char b)
{
    if (b == ':')
        go(c, STEP_VALUE);
    else if (!slice_is_token_byte(b))
        refuse(c, "a trailer name that is no token directly before a colon");
}

static void take_value(struct chunk *c, unsigned char b)
{
    char byte = (char)b;
    if (b == '\r')
        go(c, STEP_VALUE_LF);
    else if (!lint_is_value(slice_of(&byte, 1)))
        refuse(c, "a control byte in a trailer value");
}

static void take_data_cr(struct chunk *c, unsigned char b)
{
    if (b == '\r')
        go(c, STEP_DATA_LF);
    else
        refuse(c, "chunk data that does not end in CRLF");
}

static void take_value_lf(struct chunk *c, unsigned char b)
{
    if (b == '\n')
        go(c, STEP_LINE);
    else
        refuse(c, "a trailer line that does not end in CRLF");
}

static void take_end_lf(struct chunk *c, unsigned char b)
{
    if (b == '\n')
        go(c, STEP_DONE);
    else
        refuse(c, "a trailer section that does not end in CRLF");
}

static void (*const takers[])(struct chunk *c, unsigned char b) = {
    [STEP_SIZE] = take_size,         [STEP_EXTENSION] = take_extension,
    [STEP_SIZE_LF] = take_size_lf,   [STEP_DATA_CR] = take_data_cr,
    [STEP_DATA_LF] = take_data_lf,   [STEP_LINE] = take_line,
    [STEP_NAME] = take_name,         [STEP_VALUE] = take_value,
    [STEP_VALUE_LF] = take_value_lf, [STEP_END_LF] = take_end_lf,
};

/* One byte of framing: any byte that is not chunk data. */
static void take_byte(struct chunk *c, unsigned char b)
{
    if (++c->overhead > OVERHEAD_FREE + c->data)
        refuse(c, "more chunk framing than the data is worth");
    else
        takers[c->step](c, b);
}

static unsigned char first_byte(const struct slice *in)
{
    return (unsigned char)in->at[0];
}

static void drop(struct slice *in, size_t n)
{
    in->at += n;
    in->len -= n;
}

uint64_t chunk_ahead(const struct chunk *c)
{
    return c->step == STEP_DATA ? c->left : 0;
}

void chunk_skip(struct chunk *c, uint64_t n)
{
    assert(c->step == STEP_DATA && n <= c->left);
    c->left -= n;
    c->data += n;
    if (c->left == 0)
        go(c, STEP_DATA_CR);
}

static enum chunk_event take_data(struct chunk *c, struct slice *in, struct slice *out)
{
    size_t n = c->left < in->len ? (size_t)c->left : in->len;
    *out = slice_of(in->at, n);
    drop(in, n);
    chunk_skip(c, n);
    return CHUNK_DATA;
}

/* Whether the byte that comes next belongs to a trailer line, and not to the empty one. */
static bool is_in_trailer(const struct chunk *c, const struct slice *in)
{
    if (c->step == STEP_LINE)
        return first_byte(in) != '\r';
    return c->step == STEP_NAME || c->step == STEP_VALUE || c->step == STEP_VALUE_LF;
}

static enum chunk_event take_trailer(struct chunk *c, struct slice *in, struct slice *out)
{
    const char *start = in->at;
    while (in->len > 0 && is_in_trailer(c, in)) {
        if (++c->trailer > CHUNK_TRAILER_MAX)
            refuse(c, "a trailer section over its limit");
        else
            take_byte(c, first_byte(in));
        drop(in, 1);
    }
    *out = slice_of(start, (size_t)(in->at - start));
    return c->step == STEP_BAD ? CHUNK_BAD : CHUNK_TRAILER;
}

enum chunk_event chunk_decode(struct chunk *c, struct slice *in, struct slice *out)
{
    for (;;) {
        if (c->step == STEP_BAD)
            return CHUNK_BAD;
        if (c->step == STEP_DONE)
            return CHUNK_END;
        if (in->len == 0)
            return CHUNK_MORE;
        if (c->step == STEP_DATA)
            return take_data(c, in, out);
        if (is_in_trailer(c, in))
            return take_trailer(c, in, out);
        take_byte(c, first_byte(in));
        drop(in, 1);
    }
}

static size_t digits_of(uint64_t size)
{
    size_t digits = 1;
    while (digits < DIGITS_MAX && size >> (4 * digits))
        digits++;
    return digits;
}

size_t chunk_gap(uint64_t size)
{
    return strlen("\r\n") + digits_of(size) + strlen("\r\n");
}

size_t chunk_write_line(char out[CHUNK_LINE_MAX], uint64_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t digits = digits_of(size);
    for (size_t i = 0; i < digits; i++)
        out[i] = hex[size >> (4 * (digits - 1 - i)) & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}
