/*
 * slice: owns nothing and allocates nothing; every function is a pure function of the bytes it is
 * given, with no locale in sight. All layers read the wire through these.
 */
#include "base/slice.h"

#include <string.h>

/* tchar, RFC 9110 section 5.6.2. */
const bool slice_token_bytes[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

struct slice slice_of(const char *at, size_t len)
{
    return (struct slice){at, len};
}

struct slice slice_of_string(const char *string)
{
    return slice_of(string, string ? strlen(string) : 0);
}

bool slice_is_empty(struct slice s)
{
    return s.len == 0;
}

bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

char slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (slice_lower(a.at[i]) != slice_lower(b.at[i]))
            return false;
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals(slice_of(s.at, prefix.len), prefix);
}

struct slice slice_skip(struct slice s, size_t n)
{
    return n < s.len ? slice_of(s.at + n, s.len - n) : slice_of(NULL, 0);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equals(slice_skip(s, s.len - suffix.len), suffix);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    return s;
}

size_t slice_find(struct slice s, char c)
{
    const char *found = s.len > 0 ? memchr(s.at, c, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

bool slice_next_member(struct slice *list, struct slice *member)
{
    while (list->len > 0) {
        size_t comma = slice_find(*list, ',');
        *member = slice_trim(slice_of(list->at, comma));
        *list = slice_skip(*list, comma + 1);
        if (member->len > 0)
            return true;
    }
    return false;
}

bool slice_list_has(struct slice list, struct slice token)
{
    struct slice member;
    while (slice_next_member(&list, &member)) {
        if (slice_equals_nocase(member, token))
            return true;
    }
    return false;
}

bool slice_to_number(struct slice s, uint64_t *value)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        unsigned digit = (unsigned)(s.at[i] - '0');
        if (n > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *value = n;
    return s.len > 0;
}

bool slice_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!slice_is_token_byte((unsigned char)s.at[i]))
            return false;
    }
    return s.len > 0;
}
