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

/* Eight bytes as slice_lower makes each: to a byte from 'A' to 'Z', which alone has its top bit in
 * one of the two sums but not in the other, the bit is added that makes it a small letter. */
static uint64_t lower_eight(uint64_t x)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t low = x & ones * 0x7f;
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t behind_z = low + ones * (0x7f - 'Z');
    return x | ((from_a ^ behind_z) & ~x & ones * 0x80) >> 2;
}

static uint64_t eight_of(const char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* All of one to seven bytes, some of them twice. */
static uint64_t few_of(struct slice s)
{
    uint32_t first, last;
    if (s.len < sizeof first)
        return (uint64_t)(unsigned char)s.at[0] << 16 |
               (uint64_t)(unsigned char)s.at[s.len / 2] << 8 | (unsigned char)s.at[s.len - 1];
    memcpy(&first, s.at, sizeof first);
    memcpy(&last, s.at + s.len - sizeof last, sizeof last);
    return (uint64_t)first << 32 | last;
}

/* Most of what is compared is written in the same way. */
static bool are_equal_nocase(uint64_t x, uint64_t y)
{
    return x == y || lower_eight(x) == lower_eight(y);
}

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    if (a.len < sizeof(uint64_t))
        return a.len == 0 || are_equal_nocase(few_of(a), few_of(b));
    /* The last eight begin among those before them. */
    size_t last = a.len - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t))
        if (!are_equal_nocase(eight_of(a.at + i), eight_of(b.at + i)))
            return false;
    return are_equal_nocase(eight_of(a.at + last), eight_of(b.at + last));
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
