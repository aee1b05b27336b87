/*
 * slice: a borrowed run of bytes.
 *
 * A slice never owns what it points at; whoever keeps one says in a comment whose bytes they are
 * and when they die. A slice is not terminated by NUL. The empty slice may have `at == NULL`.
 */
#ifndef INTERIM_BASE_SLICE_H
#define INTERIM_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t len;
};

/* A slice of a string literal, usable where a constant expression is needed: SLICE_INIT("GET"). */
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define SLICE(literal) ((struct slice)SLICE_INIT(literal))

/* For printf: printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).len, (s).at

/* The smallest are inline: a request asks them hundreds of times. */

static inline struct slice slice_of(const char *at, size_t len)
{
    return (struct slice){at, len};
}

static inline struct slice slice_of_string(const char *string) /* NULL gives the empty slice */
{
    return slice_of(string, string ? strlen(string) : 0);
}

static inline bool slice_is_empty(struct slice s)
{
    return s.len == 0;
}

/* The bytes of all of them. */
static inline size_t slice_total(const struct slice *slices, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += slices[i].len;
    return total;
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool slice_equals_nocase(struct slice a, struct slice b); /* ASCII letters only, no locale */

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals(slice_of(s.at, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix);

/* `s` without its first `n` bytes; the empty slice when it has fewer. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return n < s.len ? slice_of(s.at + n, s.len - n) : slice_of(NULL, 0);
}

/* `s` without leading and trailing SP and HTAB: the OWS of RFC 9110 section 5.6.3. */
struct slice slice_trim(struct slice s);

/* The offset of byte `c` in `s`, or `s.len` when it is not there. */
static inline size_t slice_find(struct slice s, char c)
{
    const char *found = s.len > 0 ? (const char *)memchr(s.at, c, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

/*
 * Takes the next member off a comma-separated list (RFC 9110 section 5.6.1): `*list` moves past it,
 * `*member` is it, trimmed. Empty members are skipped. False when the list is used up.
 * Commas inside quoted strings are not special: use it for lists of tokens only.
 */
bool slice_next_member(struct slice *list, struct slice *member);

/* True if the comma-separated list holds `token`, letter case ignored. */
bool slice_list_has(struct slice list, struct slice token);

/* Reads 1*DIGIT into `*value`. False when empty, when any byte is no digit, or beyond 2^63-1. */
bool slice_to_number(struct slice s, uint64_t *value);

/* A tchar of RFC 9110 section 5.6.2; a non-empty run of them. */
extern const bool slice_token_bytes[256];
static inline bool slice_is_token_byte(unsigned char c)
{
    return slice_token_bytes[c];
}
bool slice_is_token(struct slice s);

/* An ASCII letter in lower case, any other byte as it is. */
static inline char slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

#endif
