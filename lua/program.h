/*
 * program: a Lua pattern, read once and laid out as a list of items that the matcher walks.
 *
 * The language is that of the Lua 5.1 manual, section 5.4.1, with the class %g (printing, not
 * space) added; classes are ASCII, whatever the locale. A pattern ends at its first NUL: %z stands
 * for that byte.
 *
 * A malformed pattern compiles: from the malformed place on it is one ITEM_ERROR, because Lua
 * complains only when a match gets that far.
 */
#ifndef INTERIM_LUA_PROGRAM_H
#define INTERIM_LUA_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum item_kind {
    ITEM_BYTE,     /* one byte out of `set`, as often as `repeat` says */
    ITEM_OPEN,     /* ( */
    ITEM_POSITION, /* () */
    ITEM_CLOSE,    /* ) */
    ITEM_BALANCE,  /* %bxy: `first` is x, `second` is y */
    ITEM_FRONTIER, /* %f[set] */
    ITEM_BACK,     /* %1 to %9: `first` is the capture's index from 0, or beyond all for %0 */
    ITEM_TAIL,     /* $ at the end: the subject must end here */
    ITEM_DONE,     /* the end of the pattern: it matches */
    ITEM_ERROR     /* the pattern is malformed from here on: `error` says how */
};

enum item_repeat { REPEAT_ONCE, REPEAT_MAYBE, REPEAT_MOST, REPEAT_MOST_1, REPEAT_LEAST };

struct byte_set {
    uint64_t bits[4];
};

struct item {
    enum item_kind kind;
    enum item_repeat repeat;
    bool literal; /* the set holds one byte, `first` */
    unsigned char first;
    unsigned char second;
    union {
        struct byte_set set;
        const char *error; /* a literal, for Lua's error */
    };
};

struct program {
    bool anchored;       /* began with ^ */
    struct item items[]; /* the last one is ITEM_DONE or ITEM_ERROR */
};

/* Bytes that a program for a pattern of that length may need. */
size_t program_size(size_t pattern_len);

/*
 * Compiles into `out`, which has program_size(len) bytes. `anchors`: a leading ^ anchors; otherwise
 * it stands for itself. Keeps nothing of `pattern`.
 */
void program_compile(struct program *out, const char *pattern, size_t len, bool anchors);

static inline bool byte_set_has(const struct byte_set *set, unsigned char c)
{
    return (set->bits[c >> 6] >> (c & 63) & 1) != 0;
}

#endif
