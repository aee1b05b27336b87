/* How connections are counted by address. */
#include "net/census.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct addr address(const char *text, unsigned port)
{
    struct addr a = {.len = sizeof a.to.ip6};

    if (strchr(text, ':') != NULL) {
        a.to.ip6.sin6_family = AF_INET6;
        a.to.ip6.sin6_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET6, text, &a.to.ip6.sin6_addr), 1);
    } else {
        a.to.ip4.sin_family = AF_INET;
        a.to.ip4.sin_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET, text, &a.to.ip4.sin_addr), 1);
    }
    return a;
}

/* Whether two peers are counted as one. */
static bool are_one(const char *x, const char *y)
{
    struct census c = {NULL};
    struct addr a = address(x, 1);
    struct addr b = address(y, 2);
    size_t first = census_enter(&c, &a);
    size_t second = census_enter(&c, &b);
    bool one = second == 2;

    assert_int_equal(first, 1);
    census_leave(&c, &a);
    census_leave(&c, &b);
    assert_null(c.tree);
    return one;
}

static void ports_do_not_matter_and_addresses_do(void **state)
{
    (void)state;
    assert_true(are_one("192.0.2.1", "192.0.2.1"));
    assert_false(are_one("192.0.2.1", "192.0.2.2"));
}

static void ipv6_counts_by_its_first_64_bits(void **state)
{
    (void)state;
    assert_true(are_one("2001:db8::1", "2001:db8::ffff:2"));
    assert_false(are_one("2001:db8::1", "2001:db8:0:1::1"));
    assert_false(are_one("::1", "0:0:0:1::1"));
}

static void ipv4_mapped_into_ipv6_counts_as_ipv4(void **state)
{
    (void)state;
    assert_true(are_one("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(are_one("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
}

static void thousands_come_and_go_in_any_order(void **state)
{
    enum { MANY = 5000 };
    static struct addr a[MANY];
    struct census c = {NULL};
    (void)state;

    for (int i = 0; i < MANY; i++) {
        a[i].to.ip4.sin_family = AF_INET;
        a[i].to.ip4.sin_addr.s_addr = htonl((uint32_t)i / 2);
        assert_int_equal(census_enter(&c, &a[i]), 1 + i % 2);
    }
    for (int i = 0; i < MANY; i++)
        census_leave(&c, &a[(i * 1237) % MANY]);
    assert_null(c.tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_do_not_matter_and_addresses_do),
        cmocka_unit_test(ipv6_counts_by_its_first_64_bits),
        cmocka_unit_test(ipv4_mapped_into_ipv6_counts_as_ipv4),
        cmocka_unit_test(thousands_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
