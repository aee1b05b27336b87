/*
 * Owns the search: backtracking over the items of a program, and the captures found on the way.
 * Promises the results of Lua's own functions, byte for byte, and an end: each loop here counts
 * its steps, and recursion is as deep as Lua's (one level for each capture, repetition or option
 * that is open), so that a pattern which works there works here.
 * Next on the way: pattern.c makes Lua values of what was found.
 */
#include "matcher.h"

#include "budget.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

#define STEPS_AT_ONCE 4096 /* some microseconds of matching */

#define CAPTURE_OPEN     (-1)
#define CAPTURE_POSITION (-2)

static const char *walk(struct matcher *m, const char *s, const struct item *item);

static void spend(struct matcher *m, size_t steps)
{
    m->steps += steps < STEPS_AT_ONCE << 10 ? (unsigned)steps : STEPS_AT_ONCE << 10;
    if (m->steps < STEPS_AT_ONCE)
        return;
    unsigned spent = m->steps;
    m->steps = 0;
    budget_spend(m->L, spent);
}

static bool has_byte(const struct matcher *m, const char *s, const struct item *item)
{
    return s < m->end && byte_set_has(&item->set, (unsigned char)*s);
}

/* The longest run first, then ever shorter ones. */
static const char *walk_most(struct matcher *m, const char *s, const struct item *item)
{
    const char *last = s;
    while (has_byte(m, last, item))
        last++;
    spend(m, (size_t)(last - s));
    for (;; last--) {
        const char *end = walk(m, last, item + 1);
        if (end != NULL || last == s)
            return end;
    }
}

/* The shortest run first, then ever longer ones. */
static const char *walk_least(struct matcher *m, const char *s, const struct item *item)
{
    for (;; s++) {
        const char *end = walk(m, s, item + 1);
        if (end != NULL || !has_byte(m, s, item))
            return end;
    }
}

static const char *walk_open(struct matcher *m, const char *s, const struct item *item)
{
    if (m->level == MATCHER_CAPTURES)
        luaL_error(m->L, "too many captures");
    struct capture *capture = &m->captures[m->level++];
    capture->at = s;
    capture->len = item->kind == ITEM_POSITION ? CAPTURE_POSITION : CAPTURE_OPEN;
    const char *end = walk(m, s, item + 1);
    if (end == NULL)
        m->level--;
    return end;
}

static const char *walk_close(struct matcher *m, const char *s, const struct item *item)
{
    int i = m->level - 1;
    while (i >= 0 && m->captures[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0) {
        luaL_error(m->L, "invalid pattern capture");
        return NULL;
    }
    m->captures[i].len = s - m->captures[i].at;
    const char *end = walk(m, s, item + 1);
    if (end == NULL)
        m->captures[i].len = CAPTURE_OPEN;
    return end;
}

/* The four below return where the item ends, or NULL: the next item follows without recursion. */

static const char *pass_balance(struct matcher *m, const char *s, const struct item *item)
{
    if (s == m->end || (unsigned char)*s != item->first)
        return NULL;
    size_t nested = 1;
    const char *p = s + 1;
    for (; p < m->end && nested > 0; p++) {
        if ((unsigned char)*p == item->second)
            nested--;
        else if ((unsigned char)*p == item->first)
            nested++;
    }
    spend(m, (size_t)(p - s));
    return nested == 0 ? p : NULL;
}

/* The subject counts as if a NUL stood before and behind it. */
static const char *pass_frontier(struct matcher *m, const char *s, const struct item *item)
{
    unsigned char before = s == m->subject ? 0 : (unsigned char)s[-1];
    unsigned char here = s == m->end ? 0 : (unsigned char)*s;
    bool passes = !byte_set_has(&item->set, before) && byte_set_has(&item->set, here);
    return passes ? s : NULL;
}

static const char *pass_back(struct matcher *m, const char *s, const struct item *item)
{
    int i = item->first;
    if (i >= m->level || m->captures[i].len == CAPTURE_OPEN) {
        luaL_error(m->L, "invalid capture index");
        return NULL;
    }
    ptrdiff_t len = m->captures[i].len;
    if (len == CAPTURE_POSITION || m->end - s < len)
        return NULL;
    spend(m, (size_t)len / 8);
    return memcmp(s, m->captures[i].at, (size_t)len) == 0 ? s + len : NULL;
}

static const char *pass_byte(struct matcher *m, const char *s, const struct item *item)
{
    return has_byte(m, s, item) ? s + 1 : NULL;
}

/* One level of recursion: from `item` on until the pattern ends, fails or must branch. */
static const char *walk_items(struct matcher *m, const char *s, const struct item *item)
{
    for (; s != NULL; item++) {
        spend(m, 1);
        switch (item->kind) {
        case ITEM_BYTE:
            if (item->repeat == REPEAT_ONCE) {
                s = pass_byte(m, s, item);
            } else if (item->repeat == REPEAT_MAYBE) {
                const char *end = has_byte(m, s, item) ? walk(m, s + 1, item + 1) : NULL;
                if (end != NULL)
                    return end;
            } else if (item->repeat == REPEAT_LEAST) {
                return walk_least(m, s, item);
            } else if (item->repeat == REPEAT_MOST) {
                return walk_most(m, s, item);
            } else {
                return has_byte(m, s, item) ? walk_most(m, s + 1, item) : NULL;
            }
            break;
        case ITEM_OPEN:
        case ITEM_POSITION:
            return walk_open(m, s, item);
        case ITEM_CLOSE:
            return walk_close(m, s, item);
        case ITEM_BALANCE:
            s = pass_balance(m, s, item);
            break;
        case ITEM_FRONTIER:
            s = pass_frontier(m, s, item);
            break;
        case ITEM_BACK:
            s = pass_back(m, s, item);
            break;
        case ITEM_TAIL:
            s = s == m->end ? s : NULL;
            break;
        case ITEM_DONE:
            return s;
        case ITEM_ERROR:
            luaL_error(m->L, "%s", item->error);
            break;
        }
    }
    return NULL;
}

static const char *walk(struct matcher *m, const char *s, const struct item *item)
{
    if (m->depth == MATCHER_DEPTH)
        luaL_error(m->L, "pattern too complex");
    m->depth++;
    const char *end = walk_items(m, s, item);
    m->depth--;
    return end;
}

/* Whether every match begins with the first item's one byte. */
static bool begins_literally(const struct item *first)
{
    return first->kind == ITEM_BYTE && first->literal &&
           (first->repeat == REPEAT_ONCE || first->repeat == REPEAT_MOST_1);
}

void matcher_init(struct matcher *m, lua_State *L, const struct program *program,
                  const char *subject, size_t len)
{
    m->L = L;
    m->program = program;
    m->subject = subject;
    m->end = subject + len;
    m->steps = 0;
    m->depth = 0;
    m->level = 0;
}

const char *matcher_match(struct matcher *m, const char *from)
{
    assert(from >= m->subject && from <= m->end);
    m->level = 0;
    return walk(m, from, m->program->items);
}

const char *matcher_search(struct matcher *m, const char **from)
{
    const struct item *first = m->program->items;
    bool literally = begins_literally(first);
    for (const char *s = *from;; s++) {
        if (literally && !m->program->anchored) {
            const char *next = memchr(s, first->first, (size_t)(m->end - s));
            spend(m, (size_t)((next != NULL ? next : m->end) - s) / 16);
            if (next == NULL)
                return NULL;
            s = next;
        }
        const char *end = matcher_match(m, s);
        if (end != NULL) {
            *from = s;
            return end;
        }
        if (s == m->end || m->program->anchored)
            return NULL;
    }
}

void matcher_finish(struct matcher *m)
{
    budget_spend(m->L, m->steps);
    m->steps = 0;
}

void matcher_push(struct matcher *m, int index, const char *from, const char *end)
{
    if (index >= m->level) {
        if (index != 0)
            luaL_error(m->L, "invalid capture index");
        lua_pushlstring(m->L, from, (size_t)(end - from));
        return;
    }
    const struct capture *capture = &m->captures[index];
    if (capture->len == CAPTURE_OPEN)
        luaL_error(m->L, "unfinished capture");
    if (capture->len == CAPTURE_POSITION)
        lua_pushinteger(m->L, capture->at - m->subject + 1);
    else
        lua_pushlstring(m->L, capture->at, (size_t)capture->len);
}

int matcher_push_all(struct matcher *m, const char *from, const char *end, bool or_whole)
{
    int count = m->level == 0 && or_whole ? 1 : m->level;
    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        matcher_push(m, i, from, end);
    return count;
}
