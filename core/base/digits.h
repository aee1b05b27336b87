/*
 * digits: numbers as text, for what is written too often for printf.
 *
 * Each writes from `to` on, without a NUL, and returns the end of what it wrote.
 */
#ifndef INTERIM_BASE_DIGITS_H
#define INTERIM_BASE_DIGITS_H

#include <stdint.h>

#define DIGITS_MAX      20 /* bytes of any number */
#define DIGITS_DECIMALS 6

char *digits_put(char *to, uint64_t n);

#define DIGITS_HEX 16
char *digits_put_hex(char *to, uint64_t n); /* DIGITS_HEX of them */

/*
 * As printf's "%.*f", with up to DIGITS_DECIMALS decimals. What cannot be written so in DIGITS_MAX
 * bytes is bounded: below 0, and what is no number, is 0; the largest has 15 digits in all.
 */
char *digits_put_fixed(char *to, double n, unsigned decimals);

#endif
