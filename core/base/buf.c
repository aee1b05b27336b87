/*
 * buf: owns one block of memory and the bytes in it. Promises that the bytes held never exceed the
 * maximum given at init, and that a refused append changes nothing.
 */
#include "base/buf.h"

#include "base/digits.h"
#include "base/sys.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MIN ((size_t)512)

void buf_init(struct buf *b, size_t max)
{
    assert(max <= UINT32_MAX);
    *b = (struct buf){.max = (uint32_t)max};
}

void buf_free(struct buf *b)
{
    sys_free(b->data);
    buf_init(b, b->max);
}

struct slice buf_slice(const struct buf *b)
{
    return b->data ? slice_of(b->data + b->start, buf_len(b)) : slice_of(NULL, 0);
}

/* A size that holds `need` bytes: doubled from the present one, so that growing byte by byte
 * copies each byte a bounded number of times. */
static size_t size_for(const struct buf *b, size_t need)
{
    size_t size = b->size > SIZE_MIN ? b->size : SIZE_MIN;
    while (size < need && size <= b->max / 2)
        size *= 2;
    if (size < need || size > b->max)
        size = b->max;
    return size;
}

static bool buf_grow(struct buf *b, size_t need)
{
    size_t len = buf_len(b);
    size_t size = size_for(b, need);
    char *data = sys_malloc(size);
    if (!data)
        return false;
    if (b->data != NULL)
        memcpy(data, b->data + b->start, len);
    sys_free(b->data);
    b->data = data;
    b->size = (uint32_t)size;
    b->start = 0;
    b->end = (uint32_t)len;
    return true;
}

char *buf_make_room(struct buf *b, size_t want)
{
    size_t len = buf_len(b);
    if (want > buf_space(b))
        return NULL;
    if (!b->data || b->size - len < want) {
        if (!buf_grow(b, len + want))
            return NULL;
    } else if (b->size - b->end < want) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = (uint32_t)len;
    }
    return b->data + b->end;
}

bool buf_append_string(struct buf *b, const char *string)
{
    return buf_append(b, string, strlen(string));
}

bool buf_append_number(struct buf *b, uint64_t n)
{
    char digits[DIGITS_MAX];
    return buf_append(b, digits, (size_t)(digits_put(digits, n) - digits));
}

/* The text goes through a string of its own: vsnprintf wants a byte for its NUL, which must not
 * count against the maximum. */
bool buf_printf(struct buf *b, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return false;
    size_t n = (size_t)len;
    if (n < sizeof text)
        return buf_append(b, text, n);
    if (n > buf_space(b))
        return false;

    char *long_text = sys_malloc(n + 1);
    if (!long_text)
        return false;
    va_start(args, format);
    vsnprintf(long_text, n + 1, format, args);
    va_end(args);
    bool done = buf_append(b, long_text, n);
    sys_free(long_text);
    return done;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= buf_len(b));
    b->start += (uint32_t)n;
    if (b->start == b->end)
        buf_clear(b);
}

void buf_cut(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->end = b->start + (uint32_t)len;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_trim(struct buf *b)
{
    if (buf_len(b) == 0)
        buf_free(b);
}
