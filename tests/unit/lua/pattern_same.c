/*
 * The string functions with a budget behave as LuaJIT's own: same results, same errors.
 *
 * The comparison calls both with the same arguments, hundreds of thousands of times, on patterns
 * put together from the pieces of the language and from rubbish; the seed is fixed.
 */
#include "pattern.h"

#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#define CASES 80000 /* of which each calls four functions or more */

/* The library's own is not linked: what a search costs is the business of pattern.c. */
void budget_spend(lua_State *L, unsigned steps)
{
    (void)L;
    (void)steps;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

struct bytes {
    char at[256];
    size_t len;
};

static void add(struct bytes *b, const char *piece, size_t len)
{
    assert_true(b->len + len <= sizeof(b->at));
    memcpy(b->at + b->len, piece, len);
    b->len += len;
}

static void add_text(struct bytes *b, const char *piece)
{
    add(b, piece, strlen(piece));
}

static void add_one_of(struct bytes *b, const char *set, size_t len)
{
    add(b, set + random_below((uint32_t)len), 1);
}

#define ADD_ONE_OF(b, literal) add_one_of(b, literal, sizeof(literal) - 1)

static void add_set(struct bytes *b)
{
    add_text(b, "[");
    if (random_below(3) == 0)
        add_text(b, "^");
    if (random_below(6) == 0)
        add_text(b, "]");
    for (uint32_t n = random_below(4); n > 0; n--) {
        switch (random_below(4)) {
        case 0:
            add_text(b, "%");
            ADD_ONE_OF(b, "acdglpsuwxzASWZ]-%^k");
            break;
        case 1:
            ADD_ONE_OF(b, "aA0(\x80");
            add_text(b, "-");
            ADD_ONE_OF(b, "czZ9)%]\xff");
            break;
        default:
            ADD_ONE_OF(b, "abc01 -^.()_\xff");
        }
    }
    if (random_below(12) != 0)
        add_text(b, "]");
}

static void add_piece(struct bytes *b)
{
    switch (random_below(16)) {
    case 0:
        add_text(b, "(");
        break;
    case 1:
        add_text(b, ")");
        break;
    case 2:
        add_text(b, "()");
        break;
    case 3:
        add_text(b, "%b");
        ADD_ONE_OF(b, "(ab");
        ADD_ONE_OF(b, ")ba");
        break;
    case 4:
        add_text(b, "%f");
        if (random_below(10) != 0)
            add_set(b);
        break;
    case 5:
        add_text(b, "%");
        ADD_ONE_OF(b, "11122390");
        break;
    case 6:
        ADD_ONE_OF(b, "^$()[]%.*+-?\0\xff");
        break;
    case 7:
        add_text(b, ".");
        break;
    case 8:
    case 9:
        add_text(b, "%");
        ADD_ONE_OF(b, "acdglpsuwxzACDGLPSUWXZk.%-(");
        break;
    case 10:
    case 11:
        add_set(b);
        break;
    default:
        ADD_ONE_OF(b, "aaabbc1(). ");
    }
    if (random_below(3) == 0)
        ADD_ONE_OF(b, "*+-?");
}

static void make_pattern(struct bytes *b)
{
    b->len = 0;
    if (random_below(5) == 0)
        add_text(b, "^");
    bool captured = random_below(3) == 0;
    if (captured)
        add_text(b, "(");
    for (uint32_t n = 1 + random_below(4); n > 0; n--)
        add_piece(b);
    if (captured) {
        add_text(b, ")");
        for (uint32_t n = random_below(3); n > 0; n--)
            add_piece(b);
    }
    if (random_below(6) == 0)
        add_text(b, "$");
}

static void make_subject(struct bytes *b)
{
    b->len = 0;
    bool plain = random_below(2) == 0;
    for (uint32_t n = random_below(14); n > 0; n--) {
        if (plain)
            ADD_ONE_OF(b, "aabbc");
        else
            ADD_ONE_OF(b, "aabc(() )1Z_.-\0\n%\xff\x80");
    }
}

static void make_template(struct bytes *b)
{
    b->len = 0;
    for (uint32_t n = random_below(4); n > 0; n--) {
        if (random_below(2) == 0)
            add_text(b, "%");
        ADD_ONE_OF(b, "0112%x-\0");
    }
}

/* Stack of the test's state: 1 LuaJIT's own string table, 2 ours. */
struct fixture {
    lua_State *L;
    unsigned matched;
    unsigned missed;
    unsigned failed;
};

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
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    /* The heap's own allocator, so that the address sanitizer sees every string. */
    f->L = lua_newstate(allocate, NULL);
    assert_non_null(f->L);
    luaL_openlibs(f->L);
    assert_int_equal(luaL_dostring(f->L, "jit.off() local t = {} "
                                         "for k, v in pairs(string) do t[k] = v end return t"),
                     0);
    lua_getglobal(f->L, "string");
    pattern_install(f->L);
    assert_int_equal(lua_gettop(f->L), 2);
    random_state = 20110;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    free(f);
    return 0;
}

static void print_values(lua_State *L, int from, int to)
{
    for (int i = from; i <= to; i++) {
        size_t len = 0;
        const char *text = lua_tolstring(L, i, &len);
        print_error(" ");
        for (size_t j = 0; text != NULL && j < len; j++)
            print_error(text[j] > ' ' && text[j] < 127 ? "%c" : "\\%d", (unsigned char)text[j]);
        print_error(text != NULL ? "," : "(%s),", luaL_typename(L, i));
    }
    print_error("\n");
}

/*
 * Calls function `name` of both tables with the values from `args` to the top and requires the same
 * status and results; leaves the two results (first ones) where they are. Returns the status.
 */
static int compare(struct fixture *f, const char *name, int args)
{
    lua_State *L = f->L;
    int count = lua_gettop(L) - args + 1;
    int status[2];
    int first[3];
    for (int which = 0; which < 2; which++) {
        first[which] = lua_gettop(L) + 1;
        lua_getfield(L, which + 1, name);
        for (int i = 0; i < count; i++)
            lua_pushvalue(L, args + i);
        status[which] = lua_pcall(L, count, LUA_MULTRET, 0);
    }
    first[2] = lua_gettop(L) + 1;
    int results = first[1] - first[0];
    bool same = status[0] == status[1] && results == first[2] - first[1];
    for (int i = 0; same && i < results; i++) {
        bool iterators = lua_isfunction(L, first[0] + i) && lua_isfunction(L, first[1] + i);
        same = iterators || lua_rawequal(L, first[0] + i, first[1] + i) != 0;
    }
    if (!same) {
        print_error("%s:", name);
        print_values(L, args, first[0] - 1);
        print_error("LuaJIT %d:", status[0]);
        print_values(L, first[0], first[1] - 1);
        print_error("interim %d:", status[1]);
        print_values(L, first[1], first[2] - 1);
        fail();
    }
    if (status[0] != 0)
        f->failed++;
    else if (lua_toboolean(L, first[0]))
        f->matched++;
    else
        f->missed++;
    return status[0];
}

static void push(lua_State *L, const struct bytes *b)
{
    lua_pushlstring(L, b->at, b->len);
}

static void compare_find(struct fixture *f, const char *name, const struct bytes *subject,
                         const struct bytes *pattern)
{
    push(f->L, subject);
    push(f->L, pattern);
    if (random_below(2) == 0) {
        lua_pushnumber(f->L, (lua_Number)random_below(40) - 20);
        if (random_below(8) == 0)
            lua_pushboolean(f->L, 1);
    }
    compare(f, name, 3);
    lua_settop(f->L, 2);
}

static int replace_some(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    if (len % 2 == 0)
        return 0;
    lua_pushliteral(L, "<");
    lua_pushvalue(L, lua_gettop(L) - 1);
    lua_concat(L, 2);
    return 1;
}

static void compare_gsub(struct fixture *f, const struct bytes *subject,
                         const struct bytes *pattern)
{
    lua_State *L = f->L;
    push(L, subject);
    push(L, pattern);
    uint32_t kind = random_below(4);
    if (kind == 0) {
        lua_pushcfunction(L, replace_some);
    } else if (kind == 1) {
        lua_newtable(L);
        lua_pushliteral(L, "A");
        lua_setfield(L, -2, "a");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "b");
        lua_pushinteger(L, 7);
        lua_rawseti(L, -2, 1);
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "c");
    } else {
        struct bytes template;
        make_template(&template);
        push(L, &template);
    }
    if (random_below(3) == 0)
        lua_pushnumber(L, (lua_Number)random_below(8) - 2);
    compare(f, "gsub", 3);
    lua_settop(L, 2);
}

/* Steps both iterators side by side until both are at their end. */
static void compare_gmatch(struct fixture *f, const struct bytes *subject,
                           const struct bytes *pattern)
{
    lua_State *L = f->L;
    push(L, subject);
    push(L, pattern);
    assert_int_equal(compare(f, "gmatch", 3), 0);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 5);
    lua_setfield(L, -2, "next");
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 6);
    lua_setfield(L, -2, "next");
    /* `compare` takes its two tables from slots 1 and 2: lend them to the iterators. */
    for (int i = 1; i <= 2; i++) {
        lua_pushvalue(L, i);
        lua_pushvalue(L, 6 + i);
        lua_replace(L, i);
    }
    for (bool more = true; more;) {
        int top = lua_gettop(L);
        int status = compare(f, "next", top + 1);
        more = status == 0 && lua_gettop(L) > top;
        lua_settop(L, top);
    }
    lua_pushvalue(L, 9);
    lua_replace(L, 1);
    lua_pushvalue(L, 10);
    lua_replace(L, 2);
    lua_settop(L, 2);
}

static void generated_patterns_give_the_results_of_luajit(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < CASES; i++) {
        struct bytes pattern;
        struct bytes subject;
        make_pattern(&pattern);
        make_subject(&subject);
        compare_find(f, "find", &subject, &pattern);
        compare_find(f, "match", &subject, &pattern);
        compare_gsub(f, &subject, &pattern);
        compare_gmatch(f, &subject, &pattern);
    }
    /* The generator must go on producing all three kinds. */
    assert_true(f->matched + f->missed + f->failed > 300000);
    assert_true(f->matched > 100000);
    assert_true(f->missed > 50000);
    assert_true(f->failed > 20000);
}

static void every_class_holds_the_bytes_that_luajit_puts_in_it(void **state)
{
    struct fixture *f = *state;
    for (int class = 1; class < 256; class ++) {
        for (int byte = 0; byte < 256; byte++) {
            char pattern[] = {'^', '%', (char)class, '$'};
            char subject = (char)byte;
            if (class == 'b' || class == 'f' || (class >= '0' && class <= '9'))
                continue;
            lua_pushlstring(f->L, &subject, 1);
            lua_pushlstring(f->L, pattern, sizeof(pattern));
            assert_int_equal(compare(f, "match", 3), 0);
            lua_settop(f->L, 2);
        }
    }
}

static void wrong_arguments_give_the_errors_of_luajit(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"find", "match", "gmatch", "gsub"};
    /* Every function with up to four arguments of every type. */
    for (unsigned mix = 0; mix < 4u * 8 * 8 * 8 * 8; mix++) {
        unsigned rest = mix / 4;
        for (int i = 0; i < 4; i++, rest /= 8) {
            unsigned type = rest % 8;
            if (type == 0)
                break;
            if (type == 1)
                lua_pushnil(f->L);
            else if (type == 2)
                lua_pushboolean(f->L, 1);
            else if (type == 3)
                lua_pushinteger(f->L, 1);
            else if (type == 4)
                lua_pushliteral(f->L, "1");
            else if (type == 5)
                lua_newtable(f->L);
            else if (type == 6)
                lua_pushlightuserdata(f->L, f);
            else
                lua_pushcfunction(f->L, replace_some);
        }
        compare(f, names[mix % 4], 3);
        lua_settop(f->L, 2);
    }
    assert_true(f->failed > 1000);
    assert_true(f->matched > 100);
}

static void fractions_and_strings_are_numbers_as_in_luajit(void **state)
{
    struct fixture *f = *state;
    static const double inits[] = {0.5, -0.5, 1.5,  3.5,  3.9,  4.0,
                                   4.5, -1.5, -2.5, -3.5, -3.9, -4.5};
    for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
        lua_pushliteral(f->L, "abc");
        lua_pushliteral(f->L, "()");
        lua_pushnumber(f->L, inits[i]);
        compare(f, "match", 3);
        lua_settop(f->L, 2);
        lua_pushliteral(f->L, "abc");
        lua_pushliteral(f->L, ".");
        lua_pushliteral(f->L, "x");
        lua_pushnumber(f->L, inits[i]);
        compare(f, "gsub", 3);
        lua_settop(f->L, 2);
    }
}

static void recursion_ends_where_that_of_luajit_ends(void **state)
{
    struct fixture *f = *state;
    static const char *const pieces[] = {"a?", "a*", "a-"};
    luaL_Buffer long_subject;
    luaL_buffinit(f->L, &long_subject);
    for (int i = 0; i < 400; i++)
        luaL_addchar(&long_subject, 'a');
    luaL_pushresult(&long_subject);
    for (size_t which = 0; which < 3; which++) {
        for (int n = 190; n < 210; n++) {
            lua_pushvalue(f->L, 3);
            luaL_Buffer pattern;
            luaL_buffinit(f->L, &pattern);
            luaL_addstring(&pattern, "(()");
            for (int i = 3; i < n; i++)
                luaL_addstring(&pattern, pieces[which]);
            luaL_addstring(&pattern, ")");
            luaL_pushresult(&pattern);
            compare(f, "match", 4);
            lua_settop(f->L, 3);
        }
    }
    assert_true(f->failed > 10);
    assert_true(f->matched > 10);
}

static void captures_are_counted_as_in_luajit(void **state)
{
    struct fixture *f = *state;
    for (int n = 30; n < 36; n++) {
        lua_pushliteral(f->L, "a");
        luaL_Buffer pattern;
        luaL_buffinit(f->L, &pattern);
        for (int i = 0; i < n; i++)
            luaL_addstring(&pattern, "()");
        luaL_pushresult(&pattern);
        compare(f, "match", 3);
        lua_settop(f->L, 2);
    }
    assert_int_equal(f->failed, 3);
    assert_int_equal(f->matched, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(generated_patterns_give_the_results_of_luajit),
        TEST(every_class_holds_the_bytes_that_luajit_puts_in_it),
        TEST(wrong_arguments_give_the_errors_of_luajit),
        TEST(fractions_and_strings_are_numbers_as_in_luajit),
        TEST(recursion_ends_where_that_of_luajit_ends),
        TEST(captures_are_counted_as_in_luajit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
