/*
 * Owns the syntax of patterns: what an item is, where a set ends, which bytes a class holds.
 * Promises to read no byte behind the pattern's end and to write no more than program_size allows:
 * every item takes at least one byte of the pattern, and one more closes the list.
 * Next on the way: the matcher walks the items.
 */
#include "program.h"

#include <string.h>

struct scanner {
    const char *at;
    const char *end;
};

/* Which of the bytes 0..63 and 64..127 a class holds; no class holds a byte above. */
static const struct {
    char name;
    uint64_t low;
    uint64_t high;
} classes[] = {
    {'a', 0, 0x07fffffe07fffffe},                  /* A-Z a-z */
    {'c', 0x00000000ffffffff, 0x8000000000000000}, /* 0-31 127 */
    {'d', 0x03ff000000000000, 0},                  /* 0-9 */
    {'g', 0xfffffffe00000000, 0x7fffffffffffffff}, /* !-~ */
    {'l', 0, 0x07fffffe00000000},                  /* a-z */
    {'p', 0xfc00fffe00000000, 0x78000001f8000001}, /* %g without %w */
    {'s', 0x0000000100003e00, 0},                  /* SP, HTAB to CR */
    {'u', 0, 0x0000000007fffffe},                  /* A-Z */
    {'w', 0x03ff000000000000, 0x07fffffe07fffffe}, /* 0-9 A-Z a-z */
    {'x', 0x03ff000000000000, 0x0000007e0000007e}, /* 0-9 A-F a-f */
    {'z', 0x0000000000000001, 0},                  /* NUL */
};

static void set_add(struct byte_set *set, unsigned char c)
{
    set->bits[c >> 6] |= (uint64_t)1 << (c & 63);
}

static void set_invert(struct byte_set *set)
{
    for (size_t i = 0; i < 4; i++)
        set->bits[i] = ~set->bits[i];
}

/* What stands behind a %: a class, its complement when the letter is a capital, or the byte. */
static bool set_add_escaped(struct byte_set *set, unsigned char c)
{
    bool capital = c >= 'A' && c <= 'Z';
    char name = (char)(capital ? c - 'A' + 'a' : c);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (classes[i].name != name)
            continue;
        struct byte_set class = {{classes[i].low, classes[i].high, 0, 0}};
        if (capital)
            set_invert(&class);
        for (size_t j = 0; j < 4; j++)
            set->bits[j] |= class.bits[j];
        return false;
    }
    set_add(set, c);
    return true;
}

static void set_add_range(struct byte_set *set, unsigned char first, unsigned char last)
{
    for (unsigned c = first; c <= last; c++)
        set_add(set, (unsigned char)c);
}

/* The ] that closes the set whose content starts at `p`, or NULL. The first byte never closes. */
static const char *set_find_end(const char *p, const char *end)
{
    const char *first = p;
    while (p < end) {
        if (*p == ']' && p != first)
            return p;
        bool escape = *p == '%';
        p++;
        if (escape && p < end)
            p++;
    }
    return NULL;
}

/* Reads a set; scan->at is behind its [. False: it has no end. */
static bool scan_set(struct scanner *scan, struct byte_set *set)
{
    const char *p = scan->at;
    bool inverted = p < scan->end && *p == '^';
    if (inverted)
        p++;
    const char *close = set_find_end(p, scan->end);
    if (close == NULL)
        return false;
    *set = (struct byte_set){{0}};
    while (p < close) {
        if (*p == '%') {
            set_add_escaped(set, (unsigned char)p[1]);
            p += 2;
        } else if (close - p > 2 && p[1] == '-') {
            set_add_range(set, (unsigned char)p[0], (unsigned char)p[2]);
            p += 3;
        } else {
            set_add(set, (unsigned char)*p++);
        }
    }
    if (inverted)
        set_invert(set);
    scan->at = close + 1;
    return true;
}

static void item_fail(struct item *item, const char *error)
{
    item->kind = ITEM_ERROR;
    item->error = error;
}

/* Reads what may be repeated: a byte, a dot, a class or a set. */
static void scan_byte(struct scanner *scan, struct item *item)
{
    unsigned char c = (unsigned char)*scan->at++;
    item->kind = ITEM_BYTE;
    item->set = (struct byte_set){{0}};
    if (c == '.') {
        set_invert(&item->set);
    } else if (c == '[') {
        if (!scan_set(scan, &item->set))
            item_fail(item, "malformed pattern (missing ']')");
    } else if (c != '%') {
        item->literal = true;
        item->first = c;
        set_add(&item->set, c);
    } else if (scan->at == scan->end) {
        item_fail(item, "malformed pattern (ends with '%')");
    } else {
        item->first = (unsigned char)*scan->at++;
        item->literal = set_add_escaped(&item->set, item->first);
    }
}

static enum item_repeat scan_repeat(struct scanner *scan)
{
    if (scan->at == scan->end)
        return REPEAT_ONCE;
    enum item_repeat repeat;
    switch (*scan->at) {
    case '?':
        repeat = REPEAT_MAYBE;
        break;
    case '*':
        repeat = REPEAT_MOST;
        break;
    case '+':
        repeat = REPEAT_MOST_1;
        break;
    case '-':
        repeat = REPEAT_LEAST;
        break;
    default:
        return REPEAT_ONCE;
    }
    scan->at++;
    return repeat;
}

static void scan_balance(struct scanner *scan, struct item *item)
{
    if (scan->end - scan->at < 2) {
        item_fail(item, "unbalanced pattern");
        return;
    }
    item->kind = ITEM_BALANCE;
    item->first = (unsigned char)scan->at[0];
    item->second = (unsigned char)scan->at[1];
    scan->at += 2;
}

static void scan_frontier(struct scanner *scan, struct item *item)
{
    item->kind = ITEM_FRONTIER;
    if (scan->at == scan->end || *scan->at != '[') {
        item_fail(item, "missing '[' after '%f' in pattern");
        return;
    }
    scan->at++;
    if (!scan_set(scan, &item->set))
        item_fail(item, "malformed pattern (missing ']')");
}

/* Reads %b, %f and %0 to %9. False: scan->at is at none of them and stays. */
static bool scan_special(struct scanner *scan, struct item *item)
{
    if (scan->end - scan->at < 2 || scan->at[0] != '%')
        return false;
    char c = scan->at[1];
    bool digit = c >= '0' && c <= '9';
    if (!digit && c != 'b' && c != 'f')
        return false;
    scan->at += 2;
    if (c == 'b') {
        scan_balance(scan, item);
    } else if (c == 'f') {
        scan_frontier(scan, item);
    } else {
        item->kind = ITEM_BACK;
        item->first = (unsigned char)(c - '1'); /* %0 becomes 255: no such capture */
    }
    return true;
}

static void scan_item(struct scanner *scan, struct item *item)
{
    char c = *scan->at;
    item->repeat = REPEAT_ONCE;
    item->literal = false;
    if (c == '(') {
        bool position = scan->end - scan->at > 1 && scan->at[1] == ')';
        item->kind = position ? ITEM_POSITION : ITEM_OPEN;
        scan->at += position ? 2 : 1;
    } else if (c == ')') {
        item->kind = ITEM_CLOSE;
        scan->at++;
    } else if (c == '$' && scan->end - scan->at == 1) {
        item->kind = ITEM_TAIL;
        scan->at++;
    } else if (!scan_special(scan, item)) {
        scan_byte(scan, item);
        if (item->kind == ITEM_BYTE)
            item->repeat = scan_repeat(scan);
    }
}

size_t program_size(size_t pattern_len)
{
    return sizeof(struct program) + (pattern_len + 1) * sizeof(struct item);
}

void program_compile(struct program *out, const char *pattern, size_t len, bool anchors)
{
    struct scanner scan = {pattern, pattern + strnlen(pattern, len)};
    out->anchored = anchors && scan.at < scan.end && *scan.at == '^';
    if (out->anchored)
        scan.at++;
    struct item *item = out->items;
    while (scan.at < scan.end) {
        scan_item(&scan, item);
        if (item->kind == ITEM_ERROR)
            return;
        item++;
    }
    item->kind = ITEM_DONE;
}
