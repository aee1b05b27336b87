/*
 * words: what a person meant: the nearest known word, and durations and sizes as people write them;
 * and what a person is told: on one line.
 */
#ifndef INTERIM_BASE_WORDS_H
#define INTERIM_BASE_WORDS_H

#include "base/slice.h"

/*
 * Writes `; did you mean "connect"?` with the nearest of the known words, or nothing when none is
 * near. Returns `hint`.
 */
#define WORDS_HINT_MAX 128
const char *words_hint(char *hint, size_t size, struct slice word, const char *const *known,
                       size_t count);

/* "100s", "5m", "1h", "250ms", "1.5s" to seconds. False for anything else; *seconds then
 * keeps its value. */
bool words_to_seconds(struct slice text, double *seconds);

/* "64k", "50m", "1g", "512" to bytes, in powers of 1024. False for anything else, as above. */
bool words_to_bytes(struct slice text, double *bytes);

/* For a message that repeats what somebody else wrote: a blank for each control byte, so that it is
 * one line and a terminal finds nothing in it to act on. */
void words_put_on_one_line(char *text);

#endif
