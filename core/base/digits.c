/*
 * digits: owns nothing. Promises the very bytes that printf would write.
 */
#include "base/digits.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define SCALED_MAX 999999999999999.0 /* below it every half is a double, too */

static const double scales[DIGITS_DECIMALS + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

char *digits_put(char *to, uint64_t n)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;

    if (n < 10) { /* the commonest */
        *to = (char)('0' + n);
        return to + 1;
    }
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}

/* A byte for each of eight digits, the last one in the lowest: half of what is left is moved away
 * three times, then what is over 9 becomes a letter. */
static uint64_t hex_of(uint32_t n)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t x = n;
    x = (x << 16 | x) & 0x0000ffff0000ffff;
    x = (x << 8 | x) & 0x00ff00ff00ff00ff;
    x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
    uint64_t letters = (x + ones * 6) >> 4 & ones;
    return x + ones * '0' + letters * ('a' - '0' - 10);
}

char *digits_put_hex(char *to, uint64_t n)
{
    uint64_t first = htobe64(hex_of((uint32_t)(n >> 32)));
    uint64_t last = htobe64(hex_of((uint32_t)n));

    memcpy(to, &first, sizeof first);
    memcpy(to + sizeof first, &last, sizeof last);
    return to + DIGITS_HEX;
}

/* The product, rounded: exactly, and half to even. */
static uint64_t round_product(double n, double scale)
{
    double product = n * scale;
    uint64_t whole = (uint64_t)product;
    double rest = product - (double)whole;
    double lost;

    if (rest != 0.5)
        return whole + (rest > 0.5);
    /* It may be a half only because the multiplication rounded, too. */
    lost = fma(n, scale, -product);
    return whole + (lost > 0 || (lost == 0 && whole % 2 == 1));
}

char *digits_put_fixed(char *to, double n, unsigned decimals)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;
    uint64_t left = 0;

    assert(decimals <= DIGITS_DECIMALS);
    if (n > 0)
        left = n * scales[decimals] < SCALED_MAX ? round_product(n, scales[decimals])
                                                 : (uint64_t)SCALED_MAX;
    for (unsigned i = 0; i < decimals; i++, left /= 10)
        digits[--at] = (char)('0' + left % 10);
    if (decimals > 0)
        digits[--at] = '.';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}
