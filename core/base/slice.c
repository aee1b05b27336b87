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

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    /* Most of what is compared is written in the common way. */
    if (a.len == 0 || memcmp(a.at, b.at, a.len) == 0)
        return true;
    for (size_t i = 0; i < a.len; i++) {
        if (slice_lower(a.at[i]) != slice_lower(b.at[i]))
            return false;
    }
    return true;
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
