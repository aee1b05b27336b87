/*
 * budget: how much a script may take: time on the CPU at a stretch, and memory in all.
 *
 * Time is watched by a count hook, so the JIT must be off (a compiled loop never calls it), and by
 * whatever C function can be kept busy by its arguments, through budget_spend. Memory is capped by
 * the allocator. Once either is used up, the hook fires at every instruction until the stretch is
 * over: pcall can catch the error but not go on.
 *
 * One budget belongs to one Lua state, all its coroutines included; it is found from any of them.
 */
#ifndef INTERIM_LUA_BUDGET_H
#define INTERIM_LUA_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <lua.h>

struct budget {
    size_t used;          /* bytes allocated */
    size_t max;           /* of `used` while a script runs */
    const char *max_rule; /* where `max` comes from, for the error */
    double seconds;       /* on the CPU, at a stretch */
    const char *rule;     /* where `seconds` comes from, for the error */
    double started;       /* thread CPU time at the begin of the stretch; negative: not known yet */
    double tick;          /* coarse clock at the last look, to know cheaply that none is due */
    lua_State *L;         /* the main coroutine; NULL before budget_watch */
    unsigned steps;       /* spent since the last look */
    size_t grown;         /* bytes allocated since the last budget_pace */
    bool ending;          /* close to the end of its time: every look is a precise one */
    bool running;         /* a script is running: only then does anything count */
    bool watched;         /* the count hook is armed: false with the JIT on */
    bool no_time;         /* used up in this stretch */
    bool no_memory;       /* refused in this stretch */
    const char *stack;    /* where the C stack stood when the stretch began */
};

/* The allocator to give to lua_newstate, with the budget (max and seconds set) as its data. */
void *budget_allocate(void *budget, void *block, size_t old_size, size_t new_size);

/* The budget of a state opened with budget_allocate. */
struct budget *budget_of(lua_State *L);

/* Arms the count hook; budget_unwatch takes it away for good: for a policy that wants the JIT. */
void budget_watch(lua_State *L);
void budget_unwatch(lua_State *L);

/* Sets how early and how fast garbage is collected, by the room below `max` and the size of the
 * latest allocation. It is done as memory is taken; besides only when `max` has changed. */
void budget_pace(struct budget *b, size_t latest);

/* A stretch begins, a stretch is over. Neither allocates nor raises. */
void budget_begin(lua_State *L);
void budget_end(lua_State *L);

/* True if the stretch used up its time or was refused memory. */
bool budget_is_over(const struct budget *b);

/*
 * For a C function at work for a script: spends steps (a few nanoseconds each) and raises the
 * budget's error when the stretch has used up its time. Cheap when that is far away. Also raises
 * when the C stack has grown too deep since the stretch began, so whatever calls back into Lua
 * spends.
 */
void budget_spend(lua_State *L, unsigned steps);

/* Raises the budget's error if the stretch is over, or the C stack too deep: called where a script
 * could have caught the error, or resumes a coroutine. */
void budget_check(lua_State *L);

#endif
