/*
 * budget: counts what a script takes and stops it.
 *
 * Promises that a script which never ends, or never stops asking for memory, is ended by an error
 * that it cannot hold back, as long as it runs Lua code. A C function that never returns is beyond
 * it: the supervisor replaces such a worker.
 */
#include "budget.h"

#include "base/sys.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

/* Instructions between two looks at the clock. A single one can copy megabytes (..), hence few. */
#define INSTRUCTIONS 200
#define STEPS        1000

/* What an allocation costs, in steps: it is filled, and collected one day. */
#define BYTES_PER_STEP 64

/* How much is allocated between two looks at the collector's pace. */
#define PACE_BYTES 65536

/* The collector begins anew when memory is at so many percent of what it left, and works off so
 * many percent of what is allocated meanwhile. The first bound of each is what it does by itself.
 */
#define PAUSE_MOST  200
#define PAUSE_LEAST 110
#define PACE_LEAST  200
#define PACE_MOST   2500

/* It takes one step for each so many bytes, and also one for an allocation that is larger. */
#define STEP_BYTES 1024
#define STEPS_MOST 65536

/* Half of what a coarse clock may be behind (4 ms on most kernels), and of it, several. */
#define HALF_TICK 0.002
#define ENDING    0.010

/* A worker's stack has 8 MiB; one more coroutine may take 3 of them before the next check. */
#define STACK_MAX (1 << 20)

static void charge(struct budget *b, size_t bytes);

void *budget_allocate(void *budget, void *block, size_t old_size, size_t new_size)
{
    struct budget *b = budget;

    if (new_size == 0) {
        sys_free(block);
        b->used -= old_size;
        return NULL;
    }
    if (b->running && new_size > old_size && b->used - old_size + new_size > b->max) {
        b->no_memory = true;
        return NULL;
    }
    void *moved = sys_realloc(block, new_size);
    if (moved == NULL)
        return new_size <= old_size ? block : NULL; /* Lua relies on shrinking not to fail */
    b->used = b->used - old_size + new_size;
    if (b->running && new_size > old_size) {
        charge(b, new_size);
        b->grown += new_size;
        if (b->grown >= PACE_BYTES)
            budget_pace(b, new_size);
    }
    return moved;
}

struct budget *budget_of(lua_State *L)
{
    void *data = NULL;

    lua_getallocf(L, &data);
    assert(data != NULL);
    return data;
}

bool budget_is_over(const struct budget *b)
{
    return b->no_time || b->no_memory;
}

static double now_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/*
 * The thread's own CPU clock costs a system call, so a coarse clock that costs none says first
 * whether any time can have passed. When it first has, some part of what it says is this stretch's.
 * Neither goes through sys: a test's clock does not run a script.
 */
static void look(struct budget *b)
{
    double tick = now_of(CLOCK_MONOTONIC_COARSE);

    b->steps = 0;
    if (tick == b->tick && !b->ending)
        return;
    double cpu = now_of(CLOCK_THREAD_CPUTIME_ID);
    if (b->started < 0)
        b->started = cpu - ((tick - b->tick) / 2 < HALF_TICK ? (tick - b->tick) / 2 : HALF_TICK);
    b->tick = tick;
    b->ending = cpu - b->started > b->seconds - ENDING;
    b->no_time = cpu - b->started > b->seconds;
}

static void on_count(lua_State *L, lua_Debug *ar);

/* For the allocator, which cannot raise the error: the next instruction does. */
static void charge(struct budget *b, size_t bytes)
{
    if (budget_is_over(b))
        return;
    b->steps +=
        bytes < (size_t)STEPS * BYTES_PER_STEP ? (unsigned)(bytes / BYTES_PER_STEP) + 1 : STEPS;
    if (b->steps < STEPS)
        return;
    look(b);
    if (b->no_time && b->watched)
        lua_sethook(b->L, on_count, LUA_MASKCOUNT, 1);
}

static double between(double least, double value, double most)
{
    return value < least ? least : value > most ? most : value;
}

/*
 * Nothing is collected when memory runs out: garbage that fills the room below the cap fails a
 * hook. So a collection begins when half of that room is used, and ends within the other half: its
 * work is what is used and a quarter. The bounds are for a policy that keeps nearly all it may
 * have, which would do nothing but collect.
 */
void budget_pace(struct budget *b, size_t latest)
{
    double used = (double)b->used, room = b->max > b->used ? (double)(b->max - b->used) : 1;
    double pause = between(PAUSE_LEAST, 100 + 50 * room / used, PAUSE_MOST);
    double pace = between(PACE_LEAST, 250 * used / room, PACE_MOST);
    double steps = between(1, (double)latest / STEP_BYTES, STEPS_MOST);

    b->grown = 0;
    lua_gc(b->L, LUA_GCSETPAUSE, (int)pause);
    lua_gc(b->L, LUA_GCSETSTEPMUL, (int)(pace * steps));
}

/* As luaL_where, of the innermost line that is the script's: neither of a C function nor of the
 * sandbox's own wrappers, whose chunk is "interim". */
static void push_where(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar) != 0; level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && strcmp(ar.source, "=interim") != 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

static void stop(lua_State *L, const struct budget *b)
{
    if (b->watched)
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    push_where(L);
    if (b->no_memory)
        lua_pushfstring(L, "the policy needs more than %f MiB of memory (%s)",
                        (double)b->max / (1024 * 1024), b->max_rule);
    else
        lua_pushfstring(L, "more than %f ms on the CPU at a stretch (%s)", b->seconds * 1000,
                        b->rule);
    lua_concat(L, 2);
    lua_error(L);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct budget *b = budget_of(L);

    (void)ar;
    if (!b->running)
        return;
    if (!budget_is_over(b))
        look(b);
    if (budget_is_over(b))
        stop(L, b);
}

void budget_watch(lua_State *L)
{
    struct budget *b = budget_of(L);

    b->watched = true;
    b->L = L;
    lua_sethook(L, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
}

void budget_unwatch(lua_State *L)
{
    budget_of(L)->watched = false;
    lua_sethook(L, NULL, 0, 0);
}

void budget_begin(lua_State *L)
{
    struct budget *b = budget_of(L);

    b->tick = now_of(CLOCK_MONOTONIC_COARSE);
    b->started = -1;
    b->ending = false;
    b->steps = 0;
    b->no_time = false;
    b->no_memory = false;
    b->stack = __builtin_frame_address(0);
    b->running = true;
}

void budget_end(lua_State *L)
{
    struct budget *b = budget_of(L);

    b->running = false;
    if (b->watched && budget_is_over(b))
        lua_sethook(L, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
}

static void check_stack(lua_State *L, const struct budget *b)
{
    const char *here = __builtin_frame_address(0);

    if (b->stack - here > STACK_MAX)
        luaL_error(L, "C stack overflow: functions that call back, or coroutines, nest too deep");
}

void budget_spend(lua_State *L, unsigned steps)
{
    struct budget *b = budget_of(L);

    if (!b->running)
        return;
    check_stack(L, b);
    b->steps += steps < STEPS ? steps : STEPS;
    if (b->steps < STEPS)
        return;
    look(b);
    if (budget_is_over(b))
        stop(L, b);
}

void budget_check(lua_State *L)
{
    struct budget *b = budget_of(L);

    if (!b->running)
        return;
    check_stack(L, b);
    /* At the end of Lua's stack the count hook has no room to run, and so never looks itself. */
    if (!budget_is_over(b))
        look(b);
    if (budget_is_over(b))
        stop(L, b);
}
