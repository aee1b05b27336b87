/*
 * matcher: walks a compiled pattern over a subject, within the CPU budget of the running hook.
 *
 * Every byte looked at and every item tried is a step; the steps are spent with budget_spend, which
 * raises a Lua error when the budget is gone. Recursion goes MATCHER_DEPTH items deep, then the
 * error is "pattern too complex". The matcher owns no memory, so an error may leave it anywhere.
 */
#ifndef INTERIM_LUA_MATCHER_H
#define INTERIM_LUA_MATCHER_H

#include "program.h"

#include <lua.h>

#define MATCHER_DEPTH    200
#define MATCHER_CAPTURES 32

struct capture {
    const char *at;
    ptrdiff_t len; /* or one of the two values in matcher.c that are no length */
};

struct matcher {
    lua_State *L;
    const struct program *program; /* borrowed, as the subject is: both outlive the matcher */
    const char *subject;
    const char *end;
    unsigned steps; /* not spent yet */
    int depth;
    int level; /* captures begun */
    struct capture captures[MATCHER_CAPTURES];
};

void matcher_init(struct matcher *m, lua_State *L, const struct program *program,
                  const char *subject, size_t len);

/* Where a match that begins at `from` ends, or NULL. Raises the pattern's errors. */
const char *matcher_match(struct matcher *m, const char *from);

/* The first match at or behind *from: moves *from to its begin, returns its end; or NULL. */
const char *matcher_search(struct matcher *m, const char **from);

/* Spends what is left. Call it once a string function is done with the matcher. */
void matcher_finish(struct matcher *m);

/*
 * Pushes capture `index` (from 0) of the latest match, which spans from..end: a string, or a
 * number for a position capture. Index 0 of a pattern without captures is the whole match.
 */
void matcher_push(struct matcher *m, int index, const char *from, const char *end);

/* Pushes all captures, and without any the whole match if `or_whole`. Returns how many. */
int matcher_push_all(struct matcher *m, const char *from, const char *end, bool or_whole);

#endif
