/*
 * Owns the four string functions as Lua sees them: arguments, results, replacement.
 * Promises that the C pointers it holds stay valid while Lua runs in between (a callback of gsub,
 * a metamethod, the collector): subject and pattern are on the function's own stack, or in the
 * upvalues of gmatch's iterator, for as long as they are used.
 * Next on the way: program.c reads the pattern, matcher.c runs it.
 */
#include "pattern.h"

#include "budget.h"
#include "matcher.h"

#include <lauxlib.h>
#include <string.h>

#define SMALL_ITEMS 32 /* patterns up to that length need no memory from Lua */

union small_program {
    struct program program;
    unsigned char room[sizeof(struct program) + (SMALL_ITEMS + 1) * sizeof(struct item)];
};

/* Compiles into `small` if it fits, else into a userdata that it leaves on the stack. */
static const struct program *compile(lua_State *L, union small_program *small, const char *pattern,
                                     size_t len)
{
    struct program *program = &small->program;
    if (program_size(len) > sizeof(*small))
        program = lua_newuserdata(L, program_size(len));
    program_compile(program, pattern, len, true);
    budget_spend(L, (unsigned)len);
    return program;
}

/* Argument 3 of find and match, as an offset in 0..len: from 1, or from the end when negative. */
static size_t check_init(lua_State *L, size_t len)
{
    lua_Number init = luaL_optnumber(L, 3, 1);
    if (init >= 1)
        return init >= (lua_Number)len + 1 ? len : (size_t)init - 1;
    if (init <= -1 && -init < (lua_Number)len)
        return len - (size_t)-init;
    return 0;
}

static bool is_special(char c)
{
    switch (c) {
    case '^':
    case '$':
    case '*':
    case '+':
    case '-':
    case '?':
    case '.':
    case '(':
    case '[':
    case '%':
        return true;
    default:
        return false;
    }
}

static bool has_specials(const char *pattern, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (is_special(pattern[i]))
            return true;
    return false;
}

static int find_plain(lua_State *L, const char *subject, size_t len, size_t init)
{
    size_t pattern_len;
    const char *pattern = lua_tolstring(L, 2, &pattern_len);
    const char *found = memmem(subject + init, len - init, pattern, pattern_len);
    size_t seen = found != NULL ? (size_t)(found - subject) - init : len - init;
    budget_spend(L, (unsigned)(seen / 8 + 1));
    if (found == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - subject + 1);
    lua_pushinteger(L, found - subject + (ptrdiff_t)pattern_len);
    return 2;
}

static int find_pattern(lua_State *L, const char *subject, size_t len, size_t init, bool positions)
{
    size_t pattern_len;
    const char *pattern = lua_tolstring(L, 2, &pattern_len);
    union small_program small;
    struct matcher m;
    matcher_init(&m, L, compile(L, &small, pattern, pattern_len), subject, len);
    const char *from = subject + init;
    const char *end = matcher_search(&m, &from);
    matcher_finish(&m);
    if (end == NULL) {
        lua_pushnil(L);
        return 1;
    }
    if (!positions)
        return matcher_push_all(&m, from, end, true);
    lua_pushinteger(L, from - subject + 1);
    lua_pushinteger(L, end - subject);
    return 2 + matcher_push_all(&m, from, end, false);
}

static int string_find(lua_State *L)
{
    size_t len;
    size_t pattern_len;
    const char *subject = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    size_t init = check_init(L, len);
    if (lua_toboolean(L, 4) || !has_specials(pattern, pattern_len))
        return find_plain(L, subject, len, init);
    return find_pattern(L, subject, len, init, true);
}

static int string_match(lua_State *L)
{
    size_t len;
    const char *subject = luaL_checklstring(L, 1, &len);
    luaL_checkstring(L, 2);
    return find_pattern(L, subject, len, check_init(L, len), false);
}

/* The iterator. Upvalues: the subject, the program, the offset where to go on. */
static int gmatch_next(lua_State *L)
{
    size_t len;
    const char *subject = lua_tolstring(L, lua_upvalueindex(1), &len);
    const struct program *program = lua_touserdata(L, lua_upvalueindex(2));
    size_t offset = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    if (offset > len)
        return 0;
    struct matcher m;
    matcher_init(&m, L, program, subject, len);
    const char *from = subject + offset;
    const char *end = matcher_search(&m, &from);
    matcher_finish(&m);
    if (end == NULL)
        return 0;
    lua_pushinteger(L, end - subject + (end == from ? 1 : 0)); /* an empty match must move on */
    lua_replace(L, lua_upvalueindex(3));
    return matcher_push_all(&m, from, end, true);
}

static int string_gmatch(lua_State *L)
{
    size_t pattern_len;
    luaL_checkstring(L, 1);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    lua_pushvalue(L, 1);
    struct program *program = lua_newuserdata(L, program_size(pattern_len));
    program_compile(program, pattern, pattern_len, false);
    budget_spend(L, (unsigned)pattern_len);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

/* Adds the replacement string of gsub with its %0 to %9 filled in. */
static void add_template(struct matcher *m, luaL_Buffer *out, const char *from, const char *end)
{
    size_t len;
    const char *template = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (template[i] != '%') {
            luaL_addchar(out, template[i]);
            continue;
        }
        i++; /* behind a % at the very end stands the NUL that ends every Lua string */
        if (template[i] < '0' || template[i] > '9') {
            luaL_addchar(out, template[i]);
        } else if (template[i] == '0') {
            luaL_addlstring(out, from, (size_t)(end - from));
        } else {
            matcher_push(m, template[i] - '1', from, end);
            luaL_addvalue(out);
        }
    }
}

/* Adds what argument 3 of gsub, a table or function, gives for a match: nil and false keep it. */
static void add_lookup(struct matcher *m, luaL_Buffer *out, const char *from, const char *end)
{
    lua_State *L = m->L;
    if (lua_istable(L, 3)) {
        matcher_push(m, 0, from, end);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, matcher_push_all(m, from, end, true), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, from, (size_t)(end - from));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

/* Fills `out` and returns how many matches were replaced, at most `limit`. */
static int substitute(struct matcher *m, luaL_Buffer *out, lua_Number limit)
{
    bool template = lua_isstring(m->L, 3);
    int count = 0;
    const char *s = m->subject;
    while ((lua_Number)count + 1 <= limit) {
        const char *end = matcher_match(m, s);
        if (end != NULL) {
            count++;
            if (template)
                add_template(m, out, s, end);
            else
                add_lookup(m, out, s, end);
        }
        if (end != NULL && end > s)
            s = end;
        else if (s < m->end)
            luaL_addchar(out, *s++);
        else
            break;
        if (m->program->anchored)
            break;
    }
    luaL_addlstring(out, s, (size_t)(m->end - s));
    return count;
}

static int string_gsub(lua_State *L)
{
    size_t len;
    size_t pattern_len;
    const char *subject = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    lua_Number limit = luaL_optnumber(L, 4, (lua_Number)len + 1);
    int type = lua_type(L, 3);
    luaL_argcheck(L,
                  type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                      type == LUA_TTABLE,
                  3, "string/function/table expected");
    union small_program small;
    struct matcher m;
    luaL_Buffer out;
    /* The buffer keeps its parts on top of the stack: the program must lie below them. */
    matcher_init(&m, L, compile(L, &small, pattern, pattern_len), subject, len);
    luaL_buffinit(L, &out);
    int count = substitute(&m, &out, limit);
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    matcher_finish(&m);
    return 2;
}

void pattern_install(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", string_find},
        {"match", string_match},
        {"gmatch", string_gmatch},
        {"gsub", string_gsub},
        {NULL, NULL},
    };
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
}
