/*
 * case: the data of tests/cases, read from the one file that its generator writes. The format
 * stands in tests/cases/README.md.
 */
#ifndef INTERIM_TEST_CASE_H
#define INTERIM_TEST_CASE_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

#define CASE_LINES_MAX 32
#define CASE_ROOM      (1u << 20)
#define CASE_TEXT_MAX  (128u << 10)

enum case_kind { CASE_REQUEST, CASE_RESPONSE, CASE_BODY };

/* One case. Slices point into the reader's memory and die with the next case. */
struct wire_case {
    struct slice name;
    enum case_kind kind;
    bool to_head; /* a response to HEAD */
    struct slice bytes;
    struct slice sees[CASE_LINES_MAX]; /* as written, one line a message */
    size_t sees_count;
    struct slice passes[CASE_LINES_MAX];
    size_t passes_count;
    struct slice drops[CASE_LINES_MAX];
    size_t drops_count;
    struct slice then;
};

struct case_reader {
    char *text;
    struct slice rest;
    char *bytes; /* of the case at hand, unescaped */
};

static inline void case_open(struct case_reader *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot read %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    r->text = malloc(size + 1);
    r->bytes = malloc(CASE_ROOM);
    assert_non_null(r->text);
    assert_non_null(r->bytes);
    assert_int_equal(fread(r->text, 1, size, file), size);
    fclose(file);
    r->rest = slice_of(r->text, size);
}

static inline void case_close(struct case_reader *r)
{
    free(r->text);
    free(r->bytes);
}

static inline unsigned case_hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static inline char case_letter(char c)
{
    return c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
}

/* Writes the bytes that `text` stands for; returns how many. */
static inline size_t case_unescape(struct slice text, char *out)
{
    char *start = out;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '\\') {
            *out++ = text.at[i];
        } else if (text.at[i + 1] == 'x') {
            *out++ = (char)(case_hex(text.at[i + 2]) << 4 | case_hex(text.at[i + 3]));
            i += 3;
        } else if (text.at[i + 1] != '{') {
            *out++ = case_letter(text.at[++i]);
        } else {
            struct slice inside = slice_skip(text, i + 2);
            assert(inside.at != NULL);
            inside.len = slice_find(inside, '}');
            size_t count = strtoul(inside.at, NULL, 10);
            size_t star = slice_find(inside, '*') + 1;
            while (count-- > 0)
                out += case_unescape(slice_skip(inside, star), out);
            i += 2 + inside.len;
        }
        assert_true(out < start + CASE_ROOM - text.len);
    }
    return (size_t)(out - start);
}

static inline void case_keep(struct slice *list, size_t *count, struct slice line)
{
    assert_true(*count < CASE_LINES_MAX);
    list[(*count)++] = line;
}

static inline void case_take_line(struct case_reader *r, struct wire_case *c, struct slice line)
{
    size_t blank = slice_find(line, ' ');
    struct slice word = slice_of(line.at, blank);
    struct slice rest = slice_skip(line, blank + 1);
    if (slice_equals(word, SLICE("|"))) {
        c->bytes.len += case_unescape(rest, r->bytes + c->bytes.len);
    } else if (slice_equals(word, SLICE("request"))) {
        c->kind = CASE_REQUEST;
    } else if (slice_equals(word, SLICE("response"))) {
        c->kind = CASE_RESPONSE;
        c->to_head = slice_equals(rest, SLICE("to HEAD"));
    } else if (slice_equals(word, SLICE("body"))) {
        c->kind = CASE_BODY;
    } else if (slice_equals(word, SLICE("sees"))) {
        case_keep(c->sees, &c->sees_count, rest);
    } else if (slice_equals(word, SLICE("passes"))) {
        case_keep(c->passes, &c->passes_count, rest);
    } else if (slice_equals(word, SLICE("drops"))) {
        case_keep(c->drops, &c->drops_count, rest);
    } else if (slice_equals(word, SLICE("then"))) {
        c->then = rest;
    }
}

/* The next case of the file; false at its end. */
static inline bool case_next(struct case_reader *r, struct wire_case *c)
{
    *c = (struct wire_case){.bytes = {r->bytes, 0}};
    while (r->rest.len > 0) {
        size_t end = slice_find(r->rest, '\n');
        struct slice line = slice_of(r->rest.at, end);
        bool begins = slice_starts(line, SLICE("case "));
        if (begins && c->name.len > 0)
            return true;
        if (begins)
            c->name = slice_skip(line, 5);
        else
            case_take_line(r, c, line);
        r->rest = slice_skip(r->rest, end + 1);
    }
    return c->name.len > 0;
}

/* What one reading of a case came to, in the words of the case files: a line for each message, then
 * what `then` says. `at` has room for CASE_TEXT_MAX. */
struct case_text {
    char *at;
    size_t len;
};

static inline void case_put(struct case_text *t, struct slice s)
{
    assert_true(t->len + s.len < CASE_TEXT_MAX);
    if (s.len > 0)
        memcpy(t->at + t->len, s.at, s.len);
    t->len += s.len;
}

static inline void case_put_word(struct case_text *t, struct slice s)
{
    case_put(t, s.len > 0 ? s : SLICE("-"));
    case_put(t, SLICE(" "));
}

static inline void case_put_number(struct case_text *t, int number)
{
    char text[16];
    case_put(t, slice_of(text, (size_t)snprintf(text, sizeof text, "%d", number)));
}

/* A marker belongs to a response that lasts until the end. */
static inline void case_put_swallowed(struct case_text *t, struct slice sees, struct slice marker)
{
    struct slice framing = slice_skip(sees, slice_find(sees, ' ') + 1);
    if (!slice_starts(framing, SLICE("close")))
        return;
    if (slice_equals(framing, SLICE("close")))
        case_put(t, SLICE(" "));
    case_put(t, marker);
}

/* What the case says should come out with that marker behind it. */
static inline void case_wanted(const struct wire_case *c, struct slice marker, struct case_text *t)
{
    for (size_t i = 0; i < c->sees_count; i++) {
        t->len += case_unescape(c->sees[i], t->at + t->len);
        if (c->kind == CASE_RESPONSE)
            case_put_swallowed(t, c->sees[i], marker);
        case_put(t, SLICE("\n"));
    }
    if (slice_equals(c->then, SLICE("next")) && c->kind == CASE_REQUEST)
        case_put(t, SLICE("GET /marker marker none\n"));
    case_put(t, c->then);
}

#endif
