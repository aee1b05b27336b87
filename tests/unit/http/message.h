/*
 * message: heads for tests, made from readable text without the readers of the wire.
 */
#ifndef INTERIM_TESTS_MESSAGE_H
#define INTERIM_TESTS_MESSAGE_H

#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena message_arena;

static inline int message_setup(void **state)
{
    (void)state;
    arena_init(&message_arena, 1024 * 1024);
    return 0;
}

static inline int message_teardown(void **state)
{
    (void)state;
    arena_free(&message_arena);
    return 0;
}

#define MESSAGE_TEST(f) cmocka_unit_test_setup_teardown(f, message_setup, message_teardown)

/* An HTTP/1.1 head with the fields of "Name: value\nName: value". */
static inline struct head message_head(const char *fields)
{
    struct head h = {.minor = 1, .arena = &message_arena};
    struct slice rest = slice_of_string(fields);
    while (rest.len > 0) {
        size_t end = slice_find(rest, '\n');
        struct slice line = slice_of(rest.at, end);
        size_t colon = slice_find(line, ':');
        assert_true(colon < line.len);
        assert_true(
            head_add(&h, slice_of(line.at, colon), slice_trim(slice_skip(line, colon + 1))));
        h.fields[h.count - 1].set = false; /* as if it had been received */
        rest = slice_skip(rest, end + 1);
    }
    return h;
}

static inline void assert_slice(struct slice have, const char *want)
{
    char text[4096];
    assert_true(have.len < sizeof text);
    if (have.len > 0)
        memcpy(text, have.at, have.len);
    text[have.len] = '\0';
    assert_string_equal(text, want);
}

#endif
