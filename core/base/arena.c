/*
 * arena: owns a chain of blocks and hands out their bytes in order. Promises never to hold more
 * than the maximum given at init.
 *
 * Under AddressSanitizer whatever is not handed out is poisoned, so that a slice which outlives its
 * exchange is found the moment it is read.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n)   ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

#define BLOCK_MIN ((size_t)4096)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size; /* of `bytes` */
    size_t used;
    _Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

/* Frees `block` and those behind it. */
static void free_from(struct arena *a, struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        a->held -= block->size;
        ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
        sys_free(block);
        block = next;
    }
}

static void cut_at(struct arena *a, struct arena_block *block, size_t used)
{
    assert(used <= block->used);
    free_from(a, block->next);
    block->next = NULL;
    block->used = used;
    ASAN_POISON_MEMORY_REGION(block->bytes + used, block->size - used);
    a->last = block;
}

void arena_reset(struct arena *a)
{
    if (a->first)
        cut_at(a, a->first, 0);
}

void arena_free(struct arena *a)
{
    free_from(a, a->first);
    a->first = a->last = NULL;
}

/* Each block is twice the one before: a big exchange takes few of them. */
static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t left = a->max - a->held;
    if (n > left)
        return NULL;
    size_t size = a->last ? a->last->size * 2 : BLOCK_MIN;
    if (size < n)
        size = n;
    if (size > left)
        size = left;
    struct arena_block *block = sys_malloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, size);
    if (a->last)
        a->last->next = block;
    else
        a->first = block;
    a->last = block;
    a->held += size;
    return block;
}

/* Every piece is rounded up, so the place of the next one is aligned already. */
static size_t rounded(size_t n)
{
    return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->max)
        return NULL;
    struct arena_block *block = a->last;
    if (!block || block->size - block->used < n) {
        block = add_block(a, n);
        if (!block)
            return NULL;
    }
    void *piece = block->bytes + block->used;
    ASAN_UNPOISON_MEMORY_REGION(piece, n);
    size_t step = rounded(n);
    size_t left = block->size - block->used;
    block->used += step < left ? step : left;
    return piece;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    if (s.len == 0)
        return slice_of(NULL, 0);
    char *copy = arena_alloc(a, s.len);
    if (!copy)
        return slice_of(NULL, 0);
    memcpy(copy, s.at, s.len);
    return slice_of(copy, s.len);
}

char *arena_string(struct arena *a, struct slice s)
{
    if (s.len >= a->max)
        return NULL;
    char *string = arena_alloc(a, s.len + 1);
    if (!string)
        return NULL;
    if (s.len > 0)
        memcpy(string, s.at, s.len);
    string[s.len] = '\0';
    return string;
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return slice_of(NULL, 0);
    char *text = arena_alloc(a, (size_t)len + 1);
    if (!text)
        return slice_of(NULL, 0);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return slice_of(text, (size_t)len);
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->last, a->last ? a->last->used : 0};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
    if (mark.block)
        cut_at(a, mark.block, mark.used);
    else
        arena_free(a);
}
