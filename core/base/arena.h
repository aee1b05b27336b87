/*
 * arena: memory of one exchange, given back all at once.
 *
 * Allocation moves a pointer. arena_reset keeps the first block, so an exchange on a warm worker
 * allocates nothing. A maximum is given at init; past it, and when memory is out, NULL comes back,
 * and the caller answers with an error instead of growing.
 */
#ifndef INTERIM_BASE_ARENA_H
#define INTERIM_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *last;
    size_t held; /* bytes in all blocks */
    size_t max;  /* of `held` */
};

/* A point to fall back to; see arena_release. */
struct arena_mark {
    struct arena_block *block;
    size_t used;
};

void arena_init(struct arena *a, size_t max); /* allocates nothing */
void arena_reset(struct arena *a);            /* everything handed out is dead; keeps one block */
void arena_free(struct arena *a);             /* the last block goes too */

/* Aligned for any type, not cleared; NULL on failure. */
void *arena_alloc(struct arena *a, size_t n);

/* Copies into the arena. On failure `at` is NULL (for an empty slice as well: check `at` only if
 * the source was not empty). arena_string adds a NUL. */
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_string(struct arena *a, struct slice s);
struct slice arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whatever was handed out after the mark is dead; blocks added since are freed. */
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);

#endif
