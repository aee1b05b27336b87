/*
 * words: pure functions of text, for messages and for the policy's data fields.
 */
#include "base/words.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 32

/* Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; a large number for long
 * ones. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[3][WORD_MAX + 1];

    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = slice_lower(a.at[i - 1]) == slice_lower(b.at[j - 1]);
            size_t best = last[j - 1] + (same ? 0 : 1);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[a.len % 3][b.len];
}

const char *words_hint(char *hint, size_t size, struct slice word, const char *const *known,
                       size_t count)
{
    const char *nearest = NULL;
    size_t least = word.len / 3 + 2; /* a third of the letters may be wrong, and one more */

    for (size_t i = 0; i < count; i++) {
        size_t edits = distance(word, slice_of_string(known[i]));
        if (edits < least && edits < strlen(known[i])) {
            least = edits;
            nearest = known[i];
        }
    }
    if (nearest != NULL)
        snprintf(hint, size, "; did you mean \"%s\"?", nearest);
    else
        hint[0] = '\0';
    return hint;
}

/* Reads digits with an optional fraction off the front: no sign, no exponent. */
static bool take_decimal(struct slice *text, double *value)
{
    size_t i = 0;
    double scale = 1;

    *value = 0;
    while (i < text->len && text->at[i] >= '0' && text->at[i] <= '9')
        *value = *value * 10 + (text->at[i++] - '0');
    if (i == 0)
        return false;
    if (i + 1 < text->len && text->at[i] == '.' && text->at[i + 1] >= '0' &&
        text->at[i + 1] <= '9') {
        for (i++; i < text->len && text->at[i] >= '0' && text->at[i] <= '9'; i++)
            *value += (text->at[i] - '0') * (scale /= 10);
    }
    *text = slice_skip(*text, i);
    return true;
}

struct unit {
    struct slice name;
    double size;
};

static bool read_with_unit(struct slice text, const struct unit *units, double *value)
{
    double number;

    if (!take_decimal(&text, &number))
        return false;
    for (; units->size > 0; units++) {
        if (slice_equals(text, units->name)) {
            *value = number * units->size;
            return true;
        }
    }
    return false;
}

bool words_to_seconds(struct slice text, double *seconds)
{
    static const struct unit units[] = {
        {SLICE_INIT("ms"), 0.001}, {SLICE_INIT("s"), 1}, {SLICE_INIT("m"), 60},
        {SLICE_INIT("h"), 3600},   {SLICE_INIT(""), 0},
    };

    return read_with_unit(text, units, seconds);
}

bool words_to_bytes(struct slice text, double *bytes)
{
    static const struct unit units[] = {
        {SLICE_INIT(""), 1},           {SLICE_INIT("k"), 1024}, {SLICE_INIT("m"), 1024 * 1024},
        {SLICE_INIT("g"), 1073741824}, {SLICE_INIT(""), 0},
    };

    return read_with_unit(text, units, bytes);
}

void words_put_on_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}
