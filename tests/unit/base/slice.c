/* What slices promise: one line a fact. */
#include "../fact.h"

#include <limits.h>

struct pair {
    const char *name;
    struct slice a, b;
    bool wanted;
};

#define S(literal) SLICE_INIT(literal)

static const struct pair equal_rows[] = {
    {"equal bytes are equal", S("abc"), S("abc"), true},
    {"letter case makes a difference", S("abc"), S("abC"), false},
    {"a prefix is not equal", S("abc"), S("ab"), false},
    {"two empty slices are equal, wherever they point", S(""), {NULL, 0}, true},
    {"bytes behind a NUL are compared", S("a\0b"), S("a\0c"), false},
};

static void check_equals(void **state)
{
    const struct pair *row = *state;
    assert_int_equal(slice_equals(row->a, row->b), row->wanted);
    assert_int_equal(slice_equals(row->b, row->a), row->wanted);
}

static const struct pair nocase_rows[] = {
    {"letter case is ignored", S("Content-Length"), S("cONTENT-lENGTH"), true},
    {"only letters have a case: @ is no `", S("@"), S("`"), false},
    {"only letters have a case: [ is no {", S("["), S("{"), false},
    {"only ASCII letters have a case", S("\xc4"), S("\xe4"), false},
    {"other lengths are other slices", S("a"), S("ab"), false},
    {"two empty slices are equal without case", S(""), {NULL, 0}, true},
};

static void check_nocase(void **state)
{
    const struct pair *row = *state;
    assert_int_equal(slice_equals_nocase(row->a, row->b), row->wanted);
}

/* Whatever stands around them, and wherever they are. */
static void any_two_bytes_are_compared_as_letters_are(void **state)
{
    (void)state;
    char a[20], b[20];
    for (size_t len = 1; len <= sizeof a; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(a, 'A', len);
            memset(b, 'a', len);
            for (int pair = 0; pair < 256 * 256; pair++) {
                a[at] = (char)(pair & 255);
                b[at] = (char)(pair >> 8);
                bool wanted = slice_lower(a[at]) == slice_lower(b[at]);
                if (slice_equals_nocase(slice_of(a, len), slice_of(b, len)) != wanted)
                    fail_msg("%zu bytes, %zu: %02x %02x", len, at, pair & 255, pair >> 8);
            }
        }
    }
}

static const struct pair start_rows[] = {
    {"a slice starts with its prefix", S("abc"), S("ab"), true},
    {"a slice starts with itself", S("abc"), S("abc"), true},
    {"a slice starts with nothing", S("abc"), {NULL, 0}, true},
    {"nothing starts with nothing", {NULL, 0}, S(""), true},
    {"a slice does not start with more than it holds", S("ab"), S("abc"), false},
    {"a slice does not start with what it ends with", S("abc"), S("bc"), false},
};

static void check_starts(void **state)
{
    const struct pair *row = *state;
    assert_int_equal(slice_starts(row->a, row->b), row->wanted);
}

static const struct pair end_rows[] = {
    {"a slice ends with its suffix", S("abc"), S("bc"), true},
    {"a slice ends with itself", S("abc"), S("abc"), true},
    {"a slice ends with nothing", S("abc"), S(""), true},
    {"a slice does not end with more than it holds", S("bc"), S("abc"), false},
    {"a slice does not end with what it starts with", S("abc"), S("ab"), false},
};

static void check_ends(void **state)
{
    const struct pair *row = *state;
    assert_int_equal(slice_ends(row->a, row->b), row->wanted);
}

static const struct pair trim_rows[] = {
    {"blanks go on both sides", S(" \t a b\t "), S("a b"), true},
    {"blanks alone leave nothing", S(" \t "), S(""), true},
    {"nothing stays nothing", {NULL, 0}, S(""), true},
    {"no other white space goes", S("\r\na\v"), S("\r\na\v"), true},
};

static void check_trim(void **state)
{
    const struct pair *row = *state;
    assert_slice(slice_trim(row->a), row->b);
}

struct number {
    const char *name;
    struct slice text;
    bool good;
    uint64_t value;
};

static const struct number number_rows[] = {
    {"zero is a number", S("0"), true, 0},
    {"leading zeros do not matter", S("0000000000000000000000007"), true, 7},
    {"2^63-1 is the largest number", S("9223372036854775807"), true, INT64_MAX},
    {"2^63 is too large", S("9223372036854775808"), false, 0},
    {"2^64 is too large", S("18446744073709551616"), false, 0},
    {"2^64+5 does not come out as 5", S("18446744073709551621"), false, 0},
    {"thirty nines are too large", S("999999999999999999999999999999"), false, 0},
    {"nothing is no number", S(""), false, 0},
    {"a plus sign is no digit", S("+1"), false, 0},
    {"a minus sign is no digit", S("-1"), false, 0},
    {"a blank is no digit", S("1 "), false, 0},
    {"hex is not decimal", S("0x1"), false, 0},
    {"a list is no number", S("1,1"), false, 0},
    {"a colon, the byte behind 9, is no digit", S("1:"), false, 0},
    {"a NUL is no digit", S("1\0"), false, 0},
};

static void check_number(void **state)
{
    const struct number *row = *state;
    uint64_t value = 0;
    assert_int_equal(slice_to_number(row->text, &value), row->good);
    if (row->good)
        assert_true(value == row->value);
}

struct list {
    const char *name;
    struct slice list;
    const char *members[5];
};

static const struct list list_rows[] = {
    {"members are trimmed", S("a , b\t,c"), {"a", "b", "c"}},
    {"empty members are skipped", S(",a,, ,b,"), {"a", "b"}},
    {"one member needs no comma", S(" a "), {"a"}},
    {"commas alone hold no member", S(" ,, "), {NULL}},
    {"an empty list holds no member", {NULL, 0}, {NULL}},
    {"a member may hold blanks", S("a b, c"), {"a b", "c"}},
};

static void check_list(void **state)
{
    const struct list *row = *state;
    struct slice left = row->list;
    struct slice member;
    for (const char *const *wanted = row->members; *wanted; wanted++) {
        assert_true(slice_next_member(&left, &member));
        assert_text(member, *wanted);
    }
    assert_false(slice_next_member(&left, &member));
}

static const struct pair list_has_rows[] = {
    {"a list has its member, letter case ignored", S("keep-alive, Upgrade"), S("upgrade"), true},
    {"a list does not have a part of a member", S("upgraded"), S("upgrade"), false},
    {"an empty list has nothing", S(""), S("close"), false},
};

static void check_list_has(void **state)
{
    const struct pair *row = *state;
    assert_int_equal(slice_list_has(row->a, row->b), row->wanted);
}

static void token_bytes_are_those_of_the_rfc(void **state)
{
    (void)state;
    const char *marks = "!#$%&'*+-.^_`|~";
    for (int c = 0; c <= UCHAR_MAX; c++) {
        bool wanted = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (c != 0 && strchr(marks, c));
        assert_int_equal(slice_is_token_byte((unsigned char)c), wanted);
    }
}

static void a_token_is_not_empty(void **state)
{
    (void)state;
    assert_true(slice_is_token(SLICE("M-SEARCH")));
    assert_false(slice_is_token(SLICE("")));
    assert_false(slice_is_token(SLICE("a b")));
    assert_false(slice_is_token(SLICE("a:")));
}

static void skipping_stops_at_the_end(void **state)
{
    (void)state;
    assert_text(slice_skip(SLICE("abc"), 1), "bc");
    assert_text(slice_skip(SLICE("abc"), 3), "");
    assert_text(slice_skip(SLICE("abc"), SIZE_MAX), "");
    assert_text(slice_skip(slice_of(NULL, 0), 1), "");
}

static void finding_gives_an_offset_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a,b,c"), ','), 1);
    assert_int_equal(slice_find(SLICE("abc"), ','), 3);
    assert_int_equal(slice_find(slice_of(NULL, 0), ','), 0);
}

static void a_null_string_is_empty(void **state)
{
    (void)state;
    assert_true(slice_is_empty(slice_of_string(NULL)));
    assert_true(slice_is_empty(slice_of_string("")));
    assert_false(slice_is_empty(slice_of_string("a")));
}

int main(void)
{
    FACT_ADD_TABLE(equal_rows, check_equals);
    FACT_ADD_TABLE(nocase_rows, check_nocase);
    FACT_ADD_TABLE(start_rows, check_starts);
    FACT_ADD_TABLE(end_rows, check_ends);
    FACT_ADD_TABLE(trim_rows, check_trim);
    FACT_ADD_TABLE(number_rows, check_number);
    FACT_ADD_TABLE(list_rows, check_list);
    FACT_ADD_TABLE(list_has_rows, check_list_has);
    fact_add("token bytes are those of RFC 9110", token_bytes_are_those_of_the_rfc, NULL);
    fact_add("any two bytes are compared as letters are", any_two_bytes_are_compared_as_letters_are,
             NULL);
    fact_add("a token is not empty", a_token_is_not_empty, NULL);
    fact_add("skipping stops at the end", skipping_stops_at_the_end, NULL);
    fact_add("finding gives an offset or the length", finding_gives_an_offset_or_the_length, NULL);
    fact_add("a NULL string is the empty slice", a_null_string_is_empty, NULL);
    return fact_run("slice");
}
