/*
 * fact: one row of a table, one test. A table of facts is the specification of a function by
 * example; each row shows up in the output under its English name.
 */
#ifndef INTERIM_TEST_FACT_H
#define INTERIM_TEST_FACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

#define FACTS_MAX 1024

static struct CMUnitTest facts[FACTS_MAX];
static size_t fact_count;

/* `row` reaches the check as *state. */
static inline void fact_add(const char *name, CMUnitTestFunction check, const void *row)
{
    assert_true(fact_count < FACTS_MAX);
    facts[fact_count++] = (struct CMUnitTest){
        .name = name,
        .test_func = check,
        .initial_state = (void *)(uintptr_t)row,
    };
}

/* Every row of a table whose rows have a `name`. */
#define FACT_ADD_TABLE(table, check)                                                               \
    do {                                                                                           \
        for (size_t fact_row = 0; fact_row < sizeof(table) / sizeof(table)[0]; fact_row++)         \
            fact_add((table)[fact_row].name, (check), &(table)[fact_row]);                         \
    } while (0)

static inline int fact_run(const char *group)
{
    return _cmocka_run_group_tests(group, facts, fact_count, NULL, NULL);
}

static inline void assert_slice(struct slice got, struct slice wanted)
{
    if (got.len != wanted.len || (got.len > 0 && memcmp(got.at, wanted.at, got.len) != 0))
        fail_msg("got \"%.*s\", wanted \"%.*s\"", SLICE_ARG(got), SLICE_ARG(wanted));
}

#define assert_text(got, wanted) assert_slice((got), slice_of_string(wanted))

#endif
