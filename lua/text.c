/*
 * Owns the four plain string functions. Promises time linear in the arguments, bytes kept as they
 * are (NUL included), and one meaning for a separator or prefix: itself, never a pattern.
 */
#include "text.h"

#include "base/slice.h"
#include "budget.h"

#include <lauxlib.h>
#include <string.h>

#define BYTES_PER_STEP  8
#define STEPS_PER_PIECE 32 /* a string is made and stored */

static struct slice check_slice(lua_State *L, int index)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);
    return slice_of(at, len);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* trim(s): without the white space (%s) at both ends */
static int trim(lua_State *L)
{
    struct slice s = check_slice(L, 1);
    budget_spend(L, (unsigned)(s.len / BYTES_PER_STEP) + 1);
    while (s.len > 0 && is_space(s.at[s.len - 1]))
        s.len--;
    for (; s.len > 0 && is_space(s.at[0]); s.len--)
        s.at++;
    lua_pushlstring(L, s.at, s.len);
    return 1;
}

/* split(s, separator): a list of at least one piece; empty pieces are kept */
static int split(lua_State *L)
{
    struct slice s = check_slice(L, 1);
    struct slice separator = check_slice(L, 2);
    luaL_argcheck(L, separator.len > 0, 2, "an empty separator splits nowhere");
    lua_newtable(L);
    for (int i = 1;; i++) {
        const char *next = memmem(s.at, s.len, separator.at, separator.len);
        size_t len = next != NULL ? (size_t)(next - s.at) : s.len;
        budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + STEPS_PER_PIECE);
        lua_pushlstring(L, s.at, len);
        lua_rawseti(L, -2, i);
        if (next == NULL)
            return 1;
        len += separator.len;
        s = slice_of(s.at + len, s.len - len);
    }
}

/* starts(s, prefix) */
static int starts(lua_State *L)
{
    struct slice s = check_slice(L, 1);
    struct slice prefix = check_slice(L, 2);
    budget_spend(L, (unsigned)(prefix.len / BYTES_PER_STEP) + 1);
    lua_pushboolean(L, slice_starts(s, prefix));
    return 1;
}

/* ends(s, suffix) */
static int ends(lua_State *L)
{
    struct slice s = check_slice(L, 1);
    struct slice suffix = check_slice(L, 2);
    budget_spend(L, (unsigned)(suffix.len / BYTES_PER_STEP) + 1);
    lua_pushboolean(L, slice_ends(s, suffix));
    return 1;
}

void text_install(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"trim", trim}, {"split", split}, {"starts", starts}, {"ends", ends}, {NULL, NULL},
    };
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
}
