/* The PROXY protocol: what is a header, of whom it speaks, and what is none. */
#include "../fact.h"

#include "net/proxy_header.h"

#include <stdio.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IP4       "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb" /* 192.0.2.1:56324 */
#define IP6                                                                                        \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08"         \
    "\x01\x02\0\x50"
#define BYTES(text) SLICE_INIT(text)

static enum proxy_header read_it(struct slice bytes, size_t *len, char who[ADDR_TEXT_MAX])
{
    struct addr client = {0};
    const char *why = NULL;
    enum proxy_header found = proxy_header_read(bytes, len, &client, &why);

    who[0] = '\0';
    if (found == PROXY_HEADER_WHOLE && client.len > 0)
        addr_text(&client, who);
    assert_true((found == PROXY_HEADER_BAD) == (why != NULL));
    return found;
}

struct good {
    const char *name;
    struct slice bytes;
    const char *client; /* "": it speaks of nobody */
};

static const struct good goods[] = {
    {"v1, IPv4", BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1:56324"},
    {"v1, IPv6", BYTES("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n"), "[2001:db8::7]:1"},
    {"v1, port 0", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0"},
    {"v1, unknown", BYTES("PROXY UNKNOWN\r\n"), ""},
    {"v1, unknown with something behind it", BYTES("PROXY UNKNOWN ffff:: \xff x\r\n"), ""},
    {"v1, the longest",
     BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     ""},
    {"v2, IPv4", BYTES(SIGNATURE "\x21\x11\0\x0c" IP4), "192.0.2.1:56324"},
    {"v2, IPv4 with an extension", BYTES(SIGNATURE "\x21\x11\0\x11" IP4 "\x04\0\x02xx"),
     "192.0.2.1:56324"},
    {"v2, IPv6", BYTES(SIGNATURE "\x21\x21\0\x24" IP6), "[2001:db8::7]:258"},
    {"v2, local", BYTES(SIGNATURE "\x20\0\0\0"), ""},
    {"v2, local with addresses", BYTES(SIGNATURE "\x20\x11\0\x0c" IP4), ""},
    {"v2, unspecified", BYTES(SIGNATURE "\x21\0\0\x03xyz"), ""},
};

/* In whatever pieces it comes, and whatever stands behind it. */
static void is_whole_only_when_it_is_whole(void **state)
{
    const struct good *g = *state;
    char all[1024];
    char who[ADDR_TEXT_MAX];
    size_t len = 0;

    for (size_t i = 0; i < g->bytes.len; i++)
        assert_int_equal(read_it(slice_of(g->bytes.at, i), &len, who), PROXY_HEADER_MORE);
    memcpy(all, g->bytes.at, g->bytes.len);
    strcpy(all + g->bytes.len, "GET / HTTP/1.1\r\n");
    for (size_t behind = 0; behind < 16; behind++) {
        len = 0;
        assert_int_equal(read_it(slice_of(all, g->bytes.len + behind), &len, who),
                         PROXY_HEADER_WHOLE);
        assert_int_equal(len, g->bytes.len);
        assert_string_equal(who, g->client);
    }
}

struct wrong {
    const char *name;
    struct slice bytes;
};

static const struct wrong wrongs[] = {
    {"a request", BYTES("GET / HTTP/1.1\r\n")},
    {"lower case", BYTES("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n")},
    {"a blank too few", BYTES("PROXY\r\n")},
    {"no family", BYTES("PROXY \r\n")},
    {"another family", BYTES("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n")},
    {"a family in lower case", BYTES("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n")},
    {"a bare LF", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n")},
    {"a bare LF at once", BYTES("PROXY \n")},
    {"a bare CR", BYTES("PROXY UNKNOWN \r x\r\n")},
    {"two blanks", BYTES("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n")},
    {"two blanks between addresses", BYTES("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n")},
    {"a blank at the end", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n")},
    {"a tab", BYTES("PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n")},
    {"a word too many", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n")},
    {"a word too few", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n")},
    {"no addresses", BYTES("PROXY TCP4\r\n")},
    {"an address of three parts", BYTES("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n")},
    {"an address out of range", BYTES("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n")},
    {"a leading zero in an address", BYTES("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n")},
    {"a bad destination", BYTES("PROXY TCP4 1.2.3.4 5.6.7 1 2\r\n")},
    {"IPv6 as IPv4", BYTES("PROXY TCP4 ::1 ::2 1 2\r\n")},
    {"IPv4 as IPv6", BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n")},
    {"a name", BYTES("PROXY TCP4 localhost 5.6.7.8 1 2\r\n")},
    {"a NUL", BYTES("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n")},
    {"an address too long", BYTES("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:0000:0000 "
                                  "::1 1 2\r\n")},
    {"a port out of range", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n")},
    {"a port of six digits", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 000002\r\n")},
    {"a leading zero in a port", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n")},
    {"a signed port", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n")},
    {"108 bytes", BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n")},
    {"no end", BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 6553500")},
    {"v2, another signature", BYTES("\r\n\r\n\0\r\nQUIT\r")},
    {"v2, two empty lines", BYTES("\r\n\r\nGET / HTTP/1.1\r\n")},
    {"v2, version 1", BYTES(SIGNATURE "\x11")},
    {"v2, version 3", BYTES(SIGNATURE "\x31")},
    {"v2, another command", BYTES(SIGNATURE "\x22")},
    {"v2, datagrams", BYTES(SIGNATURE "\x21\x12\0\x0c" IP4)},
    {"v2, another family", BYTES(SIGNATURE "\x21\x41\0\x0c" IP4)},
    {"v2, no transport", BYTES(SIGNATURE "\x21\x10\0\x0c" IP4)},
    {"v2, too short for IPv4", BYTES(SIGNATURE "\x21\x11\0\x0b" IP4)},
    {"v2, too short for IPv6", BYTES(SIGNATURE "\x21\x21\0\x23" IP6)},
    {"v2, too short for a path", BYTES(SIGNATURE "\x21\x31\0\xd7")},
    {"v2, too long", BYTES(SIGNATURE "\x21\x11\x02\x19")},
    {"v2, far too long", BYTES(SIGNATURE "\x20\0\xff\xff")},
};

static void is_refused(void **state)
{
    const struct wrong *w = *state;
    char who[ADDR_TEXT_MAX];
    size_t len = 0;
    size_t at = 0;

    while (at < w->bytes.len && read_it(slice_of(w->bytes.at, at), &len, who) == PROXY_HEADER_MORE)
        at++;
    /* Once it is refused, more bytes change nothing. */
    for (; at < w->bytes.len; at++)
        assert_int_equal(read_it(slice_of(w->bytes.at, at), &len, who), PROXY_HEADER_BAD);
    assert_int_equal(read_it(w->bytes, &len, who), PROXY_HEADER_BAD);
}

/* The same dice in every run. */
static unsigned roll(unsigned sides)
{
    static uint32_t state = 1;

    state = state * 1664525u + 1013904223u;
    return (state >> 8) % sides;
}

/* Good headers with a few bytes changed, and their ends moved: what is decided stays decided. */
static void whatever_comes_it_is_decided_once_and_within_bounds(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct slice good = goods[roll(sizeof goods / sizeof *goods)].bytes;
        char bytes[600] = {0};
        char who[ADDR_TEXT_MAX];
        enum proxy_header decided = PROXY_HEADER_MORE;
        size_t whole = 0;
        size_t len = 0;

        memcpy(bytes, good.at, good.len);
        for (unsigned changes = roll(4); changes > 0; changes--)
            bytes[roll((unsigned)good.len + 8)] =
                roll(3) ? " \r\n0:.\x21\x11"[roll(9)] : (char)roll(256);
        for (size_t n = 0; n <= sizeof bytes; n += 1 + (n > 150) * roll(20)) {
            enum proxy_header now = read_it(slice_of(bytes, n), &len, who);
            if (decided == PROXY_HEADER_MORE) {
                decided = now;
                whole = len;
            }
            assert_int_equal(now, decided);
            assert_true(now != PROXY_HEADER_WHOLE || (len == whole && len <= n));
        }
        assert_int_not_equal(decided, PROXY_HEADER_MORE);
    }
}

static void the_longest_of_version_2_is_bounded(void **state)
{
    (void)state;
    char bytes[16 + PROXY_HEADER_V2_BODY] = SIGNATURE "\x21\x11\x02\x18" IP4;
    char who[ADDR_TEXT_MAX];
    size_t len = 0;

    assert_int_equal(read_it(slice_of(bytes, sizeof bytes - 1), &len, who), PROXY_HEADER_MORE);
    assert_int_equal(read_it(slice_of(bytes, sizeof bytes), &len, who), PROXY_HEADER_WHOLE);
    assert_int_equal(len, sizeof bytes);
    assert_string_equal(who, "192.0.2.1:56324");
}

static void a_path_is_nobodys_address(void **state)
{
    (void)state;
    char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/x";
    char who[ADDR_TEXT_MAX];
    size_t len = 0;

    assert_int_equal(read_it(slice_of(bytes, sizeof bytes), &len, who), PROXY_HEADER_WHOLE);
    assert_string_equal(who, "unix:");
}

struct written {
    const char *name;
    const char *client;
    const char *server;
    struct slice v1;
    struct slice v2;
};

static const struct written writtens[] = {
    {"IPv4", "192.0.2.1:56324", "198.51.100.2:443",
     BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
     BYTES(SIGNATURE "\x21\x11\0\x0c" IP4)},
    {"IPv6", "[2001:db8::7]:258", "[2001:db8::8]:80",
     BYTES("PROXY TCP6 2001:db8::7 2001:db8::8 258 80\r\n"), BYTES(SIGNATURE "\x21\x21\0\x24" IP6)},
    {"IPv4 as a socket for both shows it", "[::ffff:192.0.2.1]:56324", "[::ffff:198.51.100.2]:443",
     BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
     BYTES(SIGNATURE "\x21\x11\0\x0c" IP4)},
    {"one of each", "[2001:db8::7]:1", "192.0.2.1:2",
     BYTES("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 2\r\n"),
     BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                     "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\0\x01\0\x02")},
    {"the longest", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
     "[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:65535",
     BYTES("PROXY TCP6 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff "
           "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n"),
     BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                     "\xff\x20\x01\x0d\xb8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"
                     "\xff\xff\xff\xff")},
    {"a unix socket", "unix:/a", "unix:/b", BYTES("PROXY UNKNOWN\r\n"),
     BYTES(SIGNATURE "\x21\0\0\0")},
    {"a client on one", "unix:/a", "192.0.2.1:1", BYTES("PROXY UNKNOWN\r\n"),
     BYTES(SIGNATURE "\x21\0\0\0")},
    {"IPv4 to a unix socket", "192.0.2.1:1", "unix:/b",
     BYTES("PROXY TCP4 192.0.2.1 0.0.0.0 1 0\r\n"),
     BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\0\0\0\0\0\x01\0\0")},
    {"IPv6 to a unix socket", "[2001:db8::7]:1", "unix:/b",
     BYTES("PROXY TCP6 2001:db8::7 :: 1 0\r\n"),
     BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0")},
};

static struct addr addr_of(const char *text)
{
    struct addr a;
    char why[200];

    assert_int_equal(addr_parse(slice_of_string(text), false, &a, 1, why, sizeof why), 1);
    return a;
}

static void is_written_so(void **state)
{
    const struct written *w = *state;
    char out[PROXY_HEADER_WRITTEN_MAX];
    struct addr client = addr_of(w->client);
    struct addr server = addr_of(w->server);

    assert_slice(slice_of(out, proxy_header_write(out, PROXY_VERSION_1, &client, &server)), w->v1);
    assert_slice(slice_of(out, proxy_header_write(out, PROXY_VERSION_2, &client, &server)), w->v2);
}

int main(void)
{
    FACT_ADD_TABLE(goods, is_whole_only_when_it_is_whole);
    FACT_ADD_TABLE(wrongs, is_refused);
    FACT_ADD_TABLE(writtens, is_written_so);
    fact_add("whatever comes, it is decided once and within bounds",
             whatever_comes_it_is_decided_once_and_within_bounds, NULL);
    fact_add("the longest of version 2 is bounded", the_longest_of_version_2_is_bounded, NULL);
    fact_add("a path is nobody's address", a_path_is_nobodys_address, NULL);
    return fact_run("proxy_header");
}
