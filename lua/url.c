/*
 * Owns percent-encoding. Promises that a text is decoded whole or not at all, so that what a policy
 * compares is what was meant, and time linear in the arguments.
 */
#include "url.h"

#include "base/slice.h"
#include "budget.h"

#include <lauxlib.h>
#include <stdbool.h>

#define BYTES_PER_STEP  4
#define STEPS_PER_PIECE 64 /* two strings are made and stored */

static struct slice check_slice(lua_State *L, int index)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    return slice_of(at, len);
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = slice_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether every '%' stands before two hex digits. */
static bool is_encoded(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == '%' && (s.len - i < 3 || hex_of(s.at[i + 1]) < 0 || hex_of(s.at[i + 2]) < 0))
            return false;
    return true;
}

/* `s` is encoded; `plus` is what a '+' stands for. */
static void push_decoded(lua_State *L, struct slice s, char plus)
{
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '%') {
            // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): both are digits
            c = (char)(hex_of(s.at[i + 1]) << 4 | hex_of(s.at[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = plus;
        }
        luaL_addchar(&out, c);
    }
    luaL_pushresult(&out);
}

/* decode(text): nil when a '%' is not followed by two hex digits; '+' is a plus */
static int decode(lua_State *L)
{
    struct slice text = check_slice(L, 1);

    if (is_encoded(text))
        push_decoded(L, text, '+');
    else
        lua_pushnil(L);
    return 1;
}

static bool is_unreserved(char c)
{
    char low = slice_lower(c);

    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* encode(text): every byte but the unreserved ones (RFC 3986 section 2.3) as %XX */
static int encode(lua_State *L)
{
    static const char digits[] = "0123456789ABCDEF";
    struct slice text = check_slice(L, 1);
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (is_unreserved(text.at[i])) {
            luaL_addchar(&out, text.at[i]);
            continue;
        }
        luaL_addchar(&out, '%');
        luaL_addchar(&out, digits[c >> 4]);
        luaL_addchar(&out, digits[c & 15]);
    }
    luaL_pushresult(&out);
    return 1;
}

/* Sets the name at -2 in the table at `table` to the value at -1; a second value makes a list. */
static void add_value(lua_State *L, int table)
{
    lua_pushvalue(L, -2);
    lua_rawget(L, table);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_rawset(L, table);
        return;
    }
    if (!lua_istable(L, -1)) {
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -2);
        lua_rawset(L, table);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_pop(L, 2);
}

/* parse_query(query): nil when a piece is not encoded well */
static int parse_query(lua_State *L)
{
    struct slice rest = SLICE("");

    if (!lua_isnil(L, 1))
        rest = check_slice(L, 1);
    lua_settop(L, 1);
    lua_newtable(L);
    if (!is_encoded(rest)) {
        lua_pushnil(L);
        return 1;
    }
    while (rest.len > 0) {
        struct slice piece = slice_of(rest.at, slice_find(rest, '&'));
        struct slice name = slice_of(piece.at, slice_find(piece, '='));
        rest = slice_skip(rest, piece.len + 1);
        if (slice_is_empty(piece))
            continue;
        budget_spend(L, STEPS_PER_PIECE);
        push_decoded(L, name, ' ');
        push_decoded(L, slice_skip(piece, name.len + 1), ' ');
        add_value(L, 2);
    }
    return 1;
}

void url_install(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, decode);
    lua_setfield(L, -2, "decode");
    lua_pushcfunction(L, encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, parse_query);
    lua_setfield(L, -2, "parse_query");
    lua_setfield(L, -2, "url");
}
