/* Numbers as text: the very bytes that printf writes. */
#include "../fact.h"

#include "base/digits.h"

#include <math.h>
#include <stdio.h>

static void assert_fixed(double n, unsigned decimals)
{
    char wanted[400];
    char got[DIGITS_MAX + 1];

    snprintf(wanted, sizeof wanted, "%.*f", (int)decimals, n);
    *digits_put_fixed(got, n, decimals) = '\0';
    assert_string_equal(got, wanted);
}

static void whole_numbers(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0,   1,    9,          10,         99,
                                       100, 1000, 4294967295, 4294967296, UINT64_MAX};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char wanted[32];
        char got[DIGITS_MAX + 1];
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)numbers[i]);
        *digits_put(got, numbers[i]) = '\0';
        assert_string_equal(got, wanted);
    }
}

static void hexadecimal_numbers_have_all_their_digits(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0, 1, 0x0123456789abcdef, 0xfedcba9876543210, 0x99999999aaaaaaaa, UINT64_MAX, UINT32_MAX};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char wanted[32];
        char got[DIGITS_HEX + 1];
        snprintf(wanted, sizeof wanted, "%016llx", (unsigned long long)numbers[i]);
        *digits_put_hex(got, numbers[i]) = '\0';
        assert_string_equal(got, wanted);
    }
}

static void decimals_are_rounded_as_printf_rounds_them(void **state)
{
    (void)state;
    static const double numbers[] = {0,   0.05,        0.25,  0.35, 0.15,   0.125,     0.5,
                                     1.5, 2.5,         99.95, 9.95, 0.9999, 0.0000005, 1e-9,
                                     1e8, 12345678.25, 1e14,  0.45, 1.005};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (unsigned decimals = 0; decimals <= DIGITS_DECIMALS; decimals++)
            if (numbers[i] * pow(10, decimals) < 1e15)
                assert_fixed(numbers[i], decimals);
}

/* Every place where rounding can go either way: the halves, and the doubles beside them. */
static void so_are_all_halves_and_their_neighbours(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        double tenths = (i + 0.5) / 10;
        double millionths = (i * 7919 + 0.5) / 1e6;
        assert_fixed(tenths, 1);
        assert_fixed(nextafter(tenths, 0), 1);
        assert_fixed(nextafter(tenths, 1e9), 1);
        assert_fixed(millionths, 6);
        assert_fixed(nextafter(millionths, 0), 6);
        assert_fixed(nextafter(millionths, 1e9), 6);
        assert_fixed(i * 0x1p-22, 6); /* what a clock may give */
        assert_fixed(i * 0x1p-22 * 1000, 1);
    }
}

static void what_has_no_room_is_bounded(void **state)
{
    (void)state;
    static const double numbers[] = {-1, -0.0, NAN, -INFINITY, INFINITY, 1e300};
    static const char *const texts[] = {
        "0.0", "0.0", "0.0", "0.0", "99999999999999.9", "99999999999999.9"};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char got[DIGITS_MAX + 1];
        *digits_put_fixed(got, numbers[i], 1) = '\0';
        assert_string_equal(got, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(hexadecimal_numbers_have_all_their_digits),
        cmocka_unit_test(decimals_are_rounded_as_printf_rounds_them),
        cmocka_unit_test(so_are_all_halves_and_their_neighbours),
        cmocka_unit_test(what_has_no_room_is_bounded),
    };

    return cmocka_run_group_tests_name("digits", tests, NULL, NULL);
}
