/*
 * heap: the part of sys that asks for memory, made to fail on demand. A unit that includes this and
 * needs nothing else of sys links it in the place of the real one.
 */
#ifndef INTERIM_TEST_HEAP_H
#define INTERIM_TEST_HEAP_H

#include <stdlib.h>

#include "base/sys.h"

static int heap_calls;    /* so far */
static int heap_fails_at; /* this call of sys_malloc gives NULL; 0: none does */
static long heap_in_use;  /* blocks */

void *sys_malloc(size_t n)
{
    if (++heap_calls == heap_fails_at)
        return NULL;
    heap_in_use++;
    return malloc(n);
}

void sys_free(void *p)
{
    heap_in_use -= p ? 1 : 0;
    free(p);
}

static inline void heap_start(int fails_at)
{
    heap_calls = 0;
    heap_fails_at = fails_at;
    heap_in_use = 0;
}

#endif
