/*
 * The string functions with a budget end where LuaJIT's own do not, cost little where those are
 * quick, and are safe while Lua runs in between. That they give the same results: pattern_same.c.
 */
#include "pattern.h"

#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

static uint64_t steps;
static uint64_t steps_allowed;

/* The library's own is not linked: the test counts instead of looking at the clock. */
void budget_spend(lua_State *L, unsigned spent)
{
    steps += spent;
    if (steps > steps_allowed)
        luaL_error(L, "budget gone");
}

/* The heap's own allocator, so that the address sanitizer sees every string. */
static void *allocate(void *arg, void *p, size_t old, size_t size)
{
    (void)arg;
    (void)old;
    if (size != 0)
        return realloc(p, size);
    free(p);
    return NULL;
}

static int set_up(void **state)
{
    lua_State *L = lua_newstate(allocate, NULL);
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "jit.off()"), 0);
    lua_getglobal(L, "string");
    pattern_install(L);
    assert_int_equal(lua_gettop(L), 1);
    lua_settop(L, 0);
    steps = 0;
    steps_allowed = UINT64_MAX;
    *state = L;
    return 0;
}

static int tear_down(void **state)
{
    lua_close(*state);
    return 0;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0)
        fail_msg("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
}

static void huge_numbers_do_not_wrap_around(void **state)
{
    run(*state, "assert(('abc'):find('', 1e10) == 4)"
                "assert(('abc'):find('b', math.huge) == nil)"
                "assert(('abc'):find('b', -1e10) == 2)"
                "assert(('abc'):find('b', 0/0) == 2)"
                "assert(select(2, ('abc'):gsub('.', 'x', math.huge)) == 3)"
                "assert(select(2, ('abc'):gsub('.', 'x', -math.huge)) == 0)"
                "assert(select(2, ('abc'):gsub('.', 'x', 0/0)) == 0)");
}

static void a_search_that_would_not_end_runs_out_of_budget(void **state)
{
    lua_State *L = *state;
    static const char *const searches[] = {
        "return (' '):rep(65536):find('%s+$x')",
        "return (' '):rep(65536):match('^.-.-.-.-c')",
        "return (' '):rep(65536):gsub('%s+x', '')",
        "return ('('):rep(65536):find('%b()')",
        "return ('a'):rep(65536):find('(a*)%1b')",
        "for _ in ('a'):rep(65536):gmatch('a-b') do end",
        "return ('a'):rep(65536):find('a*a*a*b')",
    };
    for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
        steps = 0;
        steps_allowed = 5000000;
        assert_int_not_equal(luaL_dostring(L, searches[i]), 0);
        assert_non_null(strstr(lua_tostring(L, -1), "budget gone"));
        /* The error comes soon after, not at the end of the search. */
        assert_true(steps < steps_allowed + 5 * 65536);
        lua_settop(L, 0);
    }
}

static void a_linear_search_costs_linear_steps(void **state)
{
    lua_State *L = *state;
    static const char *const searches[] = {
        "return (' '):rep(65536):find('^%s*$')",
        "return ('a'):rep(65536):find('b', 1, true)",
        "return ('a'):rep(65536):find(('a'):rep(60) .. 'b')",
        "return ('a'):rep(65536):find('b.')",
        "return ('a,'):rep(32768):gsub(',', ';')",
        "for _ in ('ab '):rep(21845):gmatch('%a+') do end",
        "return ('a'):rep(65536):match('^(.-)$')",
    };
    for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
        steps = 0;
        steps_allowed = 5 * 65536;
        run(L, searches[i]);
    }
}

static void every_call_spends_something(void **state)
{
    lua_State *L = *state;
    static const char *const calls[] = {
        "(''):find('')",      "('a'):find('b', 1, true)", "('a'):find('.')",
        "('a'):match('(b)')", "('a'):gsub('a', 'b')",     "('a'):gmatch('b')()",
    };
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        steps = 0;
        run(L, calls[i]);
        assert_true(steps > 0);
    }
}

static void callbacks_may_collect_nest_and_fail(void **state)
{
    run(*state,
        "local function churn() local t = {} for i = 1, 200 do t[i] = ('x'):rep(i) .. i end "
        "collectgarbage() return #t end\n"
        "local n = 0\n"
        "local long = ('(%a)(%d)'):rep(3) .. ('x?'):rep(40)\n" /* beyond the small program */
        "local subject = ('a1b2c3-'):rep(3000)\n"
        "local out, count = subject:gsub(long, function(a, b, c, d, e, f)\n"
        "  n = n + 1\n"
        "  if n % 500 == 0 then churn() end\n"
        "  return (a .. c .. e):gsub('.', function(x) return x:upper():gsub('%u', '%0%0') end)\n"
        "end)\n"
        "assert(count == 3000 and n == 3000 and out == ('AABBCC-'):rep(3000))\n"
        "n = 0\n"
        "for a, b in subject:gmatch('(%a)(%d)' .. ('x?'):rep(40)) do\n"
        "  n = n + 1 if n % 1000 == 0 then churn() end\n"
        "  assert(a:byte() - 96 == tonumber(b))\n"
        "end\n"
        "assert(n == 9000)\n"
        "local ok, why = pcall(string.gsub, subject, '%d', function() error('stop', 0) end)\n"
        "assert(not ok and why == 'stop')\n"
        "local t = setmetatable({}, { __index = function(_, k) churn() return k .. k end })\n"
        "assert(('a1'):gsub('%a', t) == 'aa1')\n"
        "local co = coroutine.wrap(function() ('a'):gsub('a', coroutine.yield) end)\n"
        "assert(not pcall(co))\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(huge_numbers_do_not_wrap_around),
        TEST(a_search_that_would_not_end_runs_out_of_budget),
        TEST(a_linear_search_costs_linear_steps),
        TEST(every_call_spends_something),
        TEST(callbacks_may_collect_nest_and_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
