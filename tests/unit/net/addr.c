/*
 * Addresses and networks as an operator writes them.
 */
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct addr parse(const char *text)
{
    struct addr out[1];
    char why[256] = "";
    if (addr_parse(slice_of_string(text), true, out, 1, why, sizeof why) != 1)
        fail_msg("%s", why);
    return out[0];
}

/* The host of an address without a port, as a peer of a connection has it. */
static struct addr peer(const char *host)
{
    char text[ADDR_TEXT_MAX];
    snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]:9" : "%s:9", host);
    return parse(text);
}

static void what_is_read_is_printed_alike(void **test)
{
    static const char *const texts[] = {
        "127.0.0.1:80",      "0.0.0.0:65535",    "[::1]:8080",   "[::]:1",
        "[2001:db8::a]:443", "unix:/run/x.sock", "unix:/a b:80",
    };
    (void)test;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[ADDR_TEXT_MAX];
        struct addr a = parse(texts[i]);
        assert_string_equal(addr_text(&a, text), texts[i]);
        struct addr again = parse(text);
        assert_true(addr_equals(&a, &again));
    }
}

static void the_binary_form_is_what_the_kernel_wants(void **test)
{
    struct addr a = parse("127.0.0.1:8080");
    (void)test;
    assert_int_equal(a.to.ip4.sin_family, AF_INET);
    assert_int_equal(a.len, sizeof(struct sockaddr_in));
    assert_int_equal(ntohl(a.to.ip4.sin_addr.s_addr), 0x7f000001);
    assert_int_equal(ntohs(a.to.ip4.sin_port), 8080);
    assert_int_equal(addr_port(&a), 8080);

    a = parse("[::1]:8080");
    assert_int_equal(a.to.ip6.sin6_family, AF_INET6);
    assert_int_equal(a.len, sizeof(struct sockaddr_in6));
    assert_memory_equal(&a.to.ip6.sin6_addr, &in6addr_loopback, 16);
    assert_int_equal(addr_port(&a), 8080);

    a = parse("unix:/run/x");
    assert_int_equal(a.to.local.sun_family, AF_UNIX);
    assert_string_equal(a.to.local.sun_path, "/run/x");
    assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 7);
    assert_int_equal(addr_port(&a), 0);
}

static void a_port_alone_means_all_addresses(void **test)
{
    struct addr a = parse("8080");
    char text[ADDR_TEXT_MAX];
    (void)test;
    assert_string_equal(addr_text(&a, text), "[::]:8080");
}

static void the_kernel_may_choose_the_port_of_a_listener_only(void **test)
{
    struct addr a = parse("127.0.0.1:0");
    char why[256];
    (void)test;
    assert_int_equal(addr_port(&a), 0);
    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), false, &a, 1, why, sizeof why), 0);
    assert_non_null(strstr(why, "from 1 to 65535"));
}

static void a_name_gives_each_of_its_addresses_once(void **test)
{
    struct addr out[16];
    char why[256];
    size_t count = addr_parse(SLICE("localhost:81"), false, out, 16, why, sizeof why);
    (void)test;
    assert_true(count > 0 && count <= 16);
    for (size_t i = 0; i < count; i++) {
        char text[ADDR_TEXT_MAX];
        addr_text(&out[i], text);
        assert_true(strcmp(text, "127.0.0.1:81") == 0 || strcmp(text, "[::1]:81") == 0);
        for (size_t j = 0; j < i; j++)
            assert_false(addr_equals(&out[i], &out[j]));
    }
    assert_int_equal(addr_parse(SLICE("localhost:81"), false, out, 1, why, sizeof why), 1);
}

static void a_wrong_address_is_told_what_is_right(void **test)
{
    static const struct {
        const char *text;
        bool any_host;
        const char *why;
    } cases[] = {
        {"", true, "\"\": expected host:port, [v6]:port, unix:/path or a port"},
        {"", false, "\"\": no port; expected host:port, [v6]:port or unix:/path"},
        {"80", false, "\"80\": no port; expected host:port, [v6]:port or unix:/path"},
        {"127.0.0.1", true, "expected host:port, [v6]:port, unix:/path or a port"},
        {"80x", true, "expected host:port"},
        {"65536", true, "expected host:port"},
        {":80", true, "no host that can be used; expected host:port"},
        {"a:", true, "a port is a number from 0 to 65535"},
        {"127.0.0.1:http", false, "a port is a number from 1 to 65535"},
        {"127.0.0.1:65536", false, "a port is a number from 1 to 65535"},
        {"127.0.0.1:+80", false, "a port is a number"},
        {"127.0.0.1:000080", false, "a port is a number"},
        {"::1:80", true, "[::1]:8080"},
        {"::1", true, "[::1]:8080"},
        {"[::1]", true, "[::1]:8080"},
        {"[::1:80", true, "[::1]:8080"},
        {"[a:80", true, "[::1]:8080"},
        {"[]:80", true, "no host that can be used"},
        {"[::g]:80", true, "not an IPv6 address"},
        {"[127.0.0.1]:80", true, "not an IPv6 address"},
        {"[localhost]:80", true, "not an IPv6 address"},
        {"127.0.0.300:80", true, "127.0.0.300 is not an IPv4 address"},
        {"*:8080", true, "a port alone means all addresses: write \"8080\""},
        {"*:8080", false, "cannot resolve *"},
        {"http://127.0.0.1:1", false,
         "\"http://127.0.0.1:1\": an address is no URL: leave out \"http://\"; expected host:port"},
        {"https://example.org/", true, "an address is no URL"},
        {"//example.org:80", true, "an address is no URL"},
        {"127.1:80", true, "127.1 is not an IPv4 address"},
        {"no..name:80", true, "cannot resolve no..name"},
        {"unix:", true, "a path from the root"},
        {"unix:run/x", true, "a path from the root"},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addr out[4];
        char why[256] = "";
        assert_int_equal(
            addr_parse(slice_of_string(cases[i].text), cases[i].any_host, out, 4, why, sizeof why),
            0);
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("%s does not say: %s", why, cases[i].why);
    }
}

static void bytes_that_no_address_has_are_refused(void **test)
{
    struct addr out;
    char why[64];
    char path[200] = "unix:/";
    char name[400];
    (void)test;
    assert_int_equal(addr_parse(SLICE("local\0host:80"), true, &out, 1, why, sizeof why), 0);
    assert_int_equal(addr_parse(SLICE("unix:/a\0b"), true, &out, 1, why, sizeof why), 0);

    memset(path + 6, 'p', 106);
    assert_int_equal(addr_parse(slice_of(path, 5 + 107), true, &out, 1, why, sizeof why), 1);
    memset(path + 6, 'p', 107);
    assert_int_equal(addr_parse(slice_of(path, 5 + 108), true, &out, 1, why, sizeof why), 0);
    memset(name, 'n', sizeof name);
    memcpy(name + 300, ":80", 3);
    assert_int_equal(addr_parse(slice_of(name, 303), true, &out, 1, why, sizeof why), 0);
    assert_true(strlen(why) < sizeof why);
}

static void ipv4_mapped_into_ipv6_is_ipv4(void **test)
{
    struct addr a = parse("[::ffff:192.0.2.1]:80");
    char text[ADDR_TEXT_MAX];
    (void)test;
    assert_int_equal(a.to.any.sa_family, AF_INET6);
    assert_string_equal(addr_host(&a, text), "192.0.2.1");
    assert_string_equal(addr_text(&a, text), "192.0.2.1:80");
}

static void a_host_has_no_port_and_a_unix_peer_no_host(void **test)
{
    struct addr a = parse("10.0.0.1:80");
    char text[ADDR_TEXT_MAX];
    (void)test;
    assert_string_equal(addr_host(&a, text), "10.0.0.1");
    a = parse("[2001:db8::1]:80");
    assert_string_equal(addr_host(&a, text), "2001:db8::1");
    a = parse("unix:/x");
    assert_string_equal(addr_host(&a, text), "");

    a = (struct addr){.len = sizeof(sa_family_t)};
    a.to.local.sun_family = AF_UNIX;
    /* What lies behind the length is not part of the address. */
    memcpy(a.to.local.sun_path, "junk", 4);
    assert_string_equal(addr_text(&a, text), "unix:");
    a.len = sizeof(sa_family_t) + 3;
    memcpy(a.to.local.sun_path, "\0ab", 3);
    assert_string_equal(addr_text(&a, text), "unix:");
}

static void a_link_local_address_keeps_its_zone(void **test)
{
    struct addr a = parse("[fe80::1%1]:80");
    struct addr other = parse("[fe80::1]:80");
    char text[ADDR_TEXT_MAX];
    (void)test;
    assert_int_equal(a.to.ip6.sin6_scope_id, 1);
    assert_string_equal(addr_text(&a, text), "[fe80::1%1]:80");
    assert_false(addr_equals(&a, &other));
}

static void equal_means_the_same_place(void **test)
{
    static const char *const texts[] = {
        "10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80", "[::1]:80", "[::1]:81",
        "[::2]:80",    "unix:/a",     "unix:/b",     "unix:/ab",
    };
    size_t count = sizeof texts / sizeof texts[0];
    (void)test;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct addr a = parse(texts[i]);
            struct addr b = parse(texts[j]);
            assert_int_equal(addr_equals(&a, &b), i == j);
        }
}

static void a_network_has_the_hosts_that_share_its_bits(void **test)
{
    static const struct {
        const char *net;
        const char *host;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", false},
        {"::/0", "::ffff:192.0.2.1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fc00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::ffff:11.1.2.3", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addr_net net;
        char why[256] = "";
        if (!addr_net_parse(slice_of_string(cases[i].net), &net, why, sizeof why))
            fail_msg("%s", why);
        struct addr a = peer(cases[i].host);
        if (addr_net_has(&net, &a) != cases[i].has)
            fail_msg("%s and %s", cases[i].net, cases[i].host);
    }
}

static void unix_is_a_network_of_its_own(void **test)
{
    struct addr_net local;
    struct addr_net all;
    struct addr a = parse("unix:/x");
    struct addr b = parse("127.0.0.1:1");
    char why[256];
    (void)test;
    assert_true(addr_net_parse(SLICE("unix:"), &local, why, sizeof why));
    assert_true(addr_net_parse(SLICE("0.0.0.0/0"), &all, why, sizeof why));
    assert_true(addr_net_has(&local, &a));
    assert_false(addr_net_has(&local, &b));
    assert_false(addr_net_has(&all, &a));
    assert_false(addr_net_has(&(struct addr_net){0}, &a));
}

static void a_wrong_network_is_told_what_is_right(void **test)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "expected an address, address/bits or unix:"},
        {"/8", "expected an address"},
        {"localhost", "expected an address"},
        {"10.0.0.1:80", "expected an address"},
        {"unix:/x", "expected an address"},
        {"10.0.0.0/", "from 0 to 32"},
        {"10.0.0.0/33", "from 0 to 32"},
        {"10.0.0.0/-1", "from 0 to 32"},
        {"10.0.0.0/8/8", "from 0 to 32"},
        {"::/129", "from 0 to 128"},
        {"10.0.0.1/8", "bits set beyond the first 8"},
        {"2001:db8::1/64", "bits set beyond the first 64"},
        {"::ffff:0.0.0.0/90", "write IPv4 networks as IPv4"},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addr_net net;
        char why[256] = "";
        assert_false(addr_net_parse(slice_of_string(cases[i].text), &net, why, sizeof why));
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("%s does not say: %s", why, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_printed_alike),
        cmocka_unit_test(the_binary_form_is_what_the_kernel_wants),
        cmocka_unit_test(a_port_alone_means_all_addresses),
        cmocka_unit_test(the_kernel_may_choose_the_port_of_a_listener_only),
        cmocka_unit_test(a_name_gives_each_of_its_addresses_once),
        cmocka_unit_test(a_wrong_address_is_told_what_is_right),
        cmocka_unit_test(bytes_that_no_address_has_are_refused),
        cmocka_unit_test(ipv4_mapped_into_ipv6_is_ipv4),
        cmocka_unit_test(a_host_has_no_port_and_a_unix_peer_no_host),
        cmocka_unit_test(a_link_local_address_keeps_its_zone),
        cmocka_unit_test(equal_means_the_same_place),
        cmocka_unit_test(a_network_has_the_hosts_that_share_its_bits),
        cmocka_unit_test(unix_is_a_network_of_its_own),
        cmocka_unit_test(a_wrong_network_is_told_what_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
