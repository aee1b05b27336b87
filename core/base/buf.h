/*
 * buf: bytes in a row that grow up to a maximum.
 *
 * Linear on purpose: consuming moves the start, and room is made by moving what is left to the
 * front, so there is no wrap to get wrong. The maximum is given at init and is never exceeded;
 * an append that would is refused whole.
 */
#ifndef INTERIM_BASE_BUF_H
#define INTERIM_BASE_BUF_H

#include "base/slice.h"

#include <assert.h>

/* Offsets of 32 bits: each idle connection has two of these. */
struct buf {
    char *data;     /* NULL while nothing was ever held, and after buf_free and buf_trim */
    uint32_t start; /* of the bytes held */
    uint32_t end;   /* one past them */
    uint32_t size;  /* of `data` */
    uint32_t max;   /* of the bytes held */
};

/* Allocates nothing. `max` is below 2^32: a program's own choice, never taken from the wire. */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* as after buf_init; the maximum stays */

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

struct slice buf_slice(const struct buf *b); /* borrowed until the next call that adds or frees */

static inline size_t buf_space(const struct buf *b) /* how many more bytes it may hold */
{
    return b->max - buf_len(b);
}

char *buf_make_room(struct buf *b, size_t want); /* for buf_room: by moving or growing */

/* At least `want` writable bytes behind those held, or NULL: over the maximum, or no memory. */
static inline char *buf_room(struct buf *b, size_t want)
{
    if (b->data != NULL && want <= b->size - b->end && want <= buf_space(b))
        return b->data + b->end;
    return buf_make_room(b, want);
}

static inline void buf_commit(struct buf *b, size_t n) /* `n` bytes of that room were written */
{
    assert(n <= b->size - b->end);
    b->end += (uint32_t)n;
}

/* Each appends all of it or nothing; false when nothing was: over the maximum, or no memory. */
static inline bool buf_append(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return true;
    char *room = buf_room(b, n);
    if (!room)
        return false;
    memcpy(room, bytes, n);
    buf_commit(b, n);
    return true;
}

static inline bool buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.at, s.len);
}

bool buf_append_string(struct buf *b, const char *string);
bool buf_append_number(struct buf *b, uint64_t n); /* in decimal */
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

void buf_consume(struct buf *b, size_t n); /* drops the first `n`, which must be held */
void buf_cut(struct buf *b, size_t len);   /* keeps the first `len` of those held */
void buf_clear(struct buf *b);             /* drops all, keeps the memory */
void buf_trim(struct buf *b);              /* gives the memory back if nothing is held */

#endif
