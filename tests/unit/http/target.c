/* What a request target is taken apart into: one line a fact. */
#include "../fact.h"

#include "http/target.h"

#define S(literal) SLICE_INIT(literal)

struct fact {
    const char *name;
    const char *method;
    const char *target;
    const char *path; /* NULL: refused */
    const char *query;
    const char *authority;
};

static const struct fact target_rows[] = {
    {"origin-form", "GET", "/a/b", "/a/b", NULL, ""},
    {"origin-form with a query", "GET", "/a?b=c", "/a", "b=c", ""},
    {"a query ends a path at its first mark", "GET", "/a?b?/c", "/a", "b?/c", ""},
    {"an empty query is a query", "GET", "/a?", "/a", "", ""},
    {"a path of two slashes is a path", "GET", "//a/b", "//a/b", NULL, ""},
    {"asterisk-form for OPTIONS", "OPTIONS", "*", "*", NULL, ""},
    {"asterisk-form for anything else", "GET", "*", NULL, NULL, NULL},
    {"an asterisk and more", "OPTIONS", "*a", NULL, NULL, NULL},
    {"absolute-form", "GET", "http://a.b/c?d", "/c", "d", "a.b"},
    {"absolute-form with a port", "GET", "http://a:8080/c", "/c", NULL, "a:8080"},
    {"absolute-form of https", "GET", "https://a/c", "/c", NULL, "a"},
    {"a scheme has no letter case", "GET", "HTTP://a/c", "/c", NULL, "a"},
    {"absolute-form without a path", "GET", "http://a", "/", NULL, "a"},
    {"absolute-form with a query and no path", "GET", "http://a?b", "/", "b", "a"},
    {"OPTIONS of a whole server", "OPTIONS", "http://a:80", "*", NULL, "a:80"},
    {"OPTIONS of a server's root", "OPTIONS", "http://a/", "/", NULL, "a"},
    {"OPTIONS with a query and no path", "OPTIONS", "http://a?", "/", "", "a"},
    {"absolute-form with an IPv6 address", "GET", "http://[::1]:80/", "/", NULL, "[::1]:80"},
    {"absolute-form without a host", "GET", "http:///a", NULL, NULL, NULL},
    {"absolute-form with nothing at all", "GET", "http://", NULL, NULL, NULL},
    {"absolute-form with a port alone", "GET", "http://:80/", NULL, NULL, NULL},
    {"absolute-form with userinfo", "GET", "http://user:pass@a/", NULL, NULL, NULL},
    {"absolute-form with empty userinfo", "GET", "http://@a/", NULL, NULL, NULL},
    {"a backslash in the authority", "GET", "http://a\\b/", NULL, NULL, NULL},
    {"another scheme", "GET", "ws://a/", NULL, NULL, NULL},
    {"one slash", "GET", "http:/a", NULL, NULL, NULL},
    {"authority-form", "GET", "a:80", NULL, NULL, NULL},
    {"a query alone", "GET", "?a", NULL, NULL, NULL},
};

static void check_target(void **state)
{
    const struct fact *row = *state;
    struct target t;
    struct fault f = target_read(&t, slice_of_string(row->method), slice_of_string(row->target));
    assert_int_equal(f.status, row->path ? 0 : 400);
    if (!row->path)
        return;
    assert_text(t.path, row->path);
    assert_int_equal(t.query.at != NULL, row->query != NULL);
    assert_text(t.query, row->query);
    assert_text(t.authority, row->authority);
}

struct authority {
    const char *name;
    struct slice text;
    bool good;
};

static const struct authority authority_rows[] = {
    {"a name", S("example.com"), true},
    {"a name with a port", S("example.com:8080"), true},
    {"a name with an empty port", S("example.com:"), true},
    {"an IPv4 address", S("127.0.0.1:80"), true},
    {"an IPv6 address", S("[2001:db8::1]"), true},
    {"an IPv6 address with a port", S("[::ffff:127.0.0.1]:443"), true},
    {"an underscore in a name", S("a_b"), true},
    {"a percent-encoded byte in a name", S("a%2fb"), true},
    {"every byte a name may hold", S("aZ09-._~!$&'()*+,;=%Af"), true},
    {"the largest port", S("a:65535"), true},
    {"a port too large", S("a:65536"), false},
    {"a port far too large", S("a:99999999999999999999"), false},
    {"a port that is no number", S("a:http"), false},
    {"a port with a sign", S("a:+80"), false},
    {"two ports", S("a:80:80"), false},
    {"nothing", S(""), false},
    {"a port alone", S(":80"), false},
    {"a blank inside", S("a b"), false},
    {"a tab inside", S("a\tb"), false},
    {"two hosts with a slash", S("a/b"), false},
    {"userinfo", S("u@a"), false},
    {"a question mark", S("a?b"), false},
    {"a fragment", S("a#b"), false},
    {"a backslash", S("a\\b"), false},
    {"angle brackets", S("<a>"), false},
    {"a quote", S("\"a\""), false},
    {"a NUL", S("a\0b"), false},
    {"a high byte", S("\xc3\xa4"), false},
    {"a percent sign without digits", S("a%"), false},
    {"a percent sign with one digit", S("a%2"), false},
    {"a percent sign with no hex", S("a%2g"), false},
    {"a percent sign with the byte before 0", S("a%2/"), false},
    {"a percent sign with the byte before A", S("a%2@"), false},
    {"a percent sign with the byte behind 9", S("a%2:"), false},
    {"a percent sign with no hex at first", S("a%g2"), false},
    {"an IPv6 address without brackets", S("::1"), false},
    {"an open bracket", S("[::1"), false},
    {"a bracket alone", S("["), false},
    {"empty brackets", S("[]"), false},
    {"a name in brackets", S("[a]"), false},
    {"an IPv4 address in brackets", S("[127.0.0.1]"), false},
    {"a zone", S("[fe80::1%25eth0]"), false},
    {"an address of the future", S("[v1.a]"), false},
    {"bytes behind a bracket", S("[::1]a"), false},
    {"a NUL in brackets", S("[::1\0]"), false},
    {"more in brackets than any address has",
     S("[0000:0000:0000:0000:0000:0000:0000:0000:0000:00]"), false},
};

static void check_authority(void **state)
{
    const struct authority *row = *state;
    assert_int_equal(target_is_authority(row->text), row->good);
}

int main(void)
{
    FACT_ADD_TABLE(target_rows, check_target);
    FACT_ADD_TABLE(authority_rows, check_authority);
    return fact_run("target");
}
