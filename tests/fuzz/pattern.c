/*
 * fuzz pattern: a pattern and a subject for find, match, gmatch and gsub.
 *
 * The input is a byte that says which function and where to begin, the pattern, a line feed, the
 * subject. Must hold: where ours come to an end within their budget they give the results and
 * errors of Lua's own; and where they do not, they say so.
 */
#include "lua_state.h"
#include "pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Calls each as a policy would, and returns all results; both sides get the same arguments. */
static const char chunk[] =
    "local function all(of, text, pattern)\n"
    "  local found = {}\n"
    "  for a, b, c in of.gmatch(text, pattern) do\n"
    "    found[#found + 1] = tostring(a) .. '\\0' .. tostring(b) .. '\\0' .. tostring(c)\n"
    "  end\n"
    "  return table.concat(found, '\\1')\n"
    "end\n"
    "local calls = {\n"
    "  function(of, text, pattern, init) return of.find(text, pattern, init) end,\n"
    "  function(of, text, pattern, init) return of.match(text, pattern, init) end,\n"
    "  all,\n"
    "  function(of, text, pattern) return of.gsub(text, pattern, '[%0|%1]') end,\n"
    "  function(of, text, pattern, init) return of.gsub(text, pattern, { a = 'A' }, init) end,\n"
    "  function(of, text, pattern, init) return of.gsub(text, pattern, function(a, b)\n"
    "    return b end, init) end,\n"
    "}\n"
    "local own, ours = {}, {}\n"
    "for name, value in pairs(string) do own[name] = value end\n"
    "return calls, own, ours\n";

enum { CALLS = 1, OWN = 2, OURS = 3, CALL_COUNT = 6 };

/* Calls with the functions of the table at `of`; the status and results stay on the stack. */
static int call(lua_State *L, int of, const uint8_t *bytes, size_t size)
{
    const uint8_t *lf = memchr(bytes + 1, '\n', size - 1);
    size_t pattern_len = lf == NULL ? size - 1 : (size_t)(lf - bytes) - 1;
    const char *subject = lf == NULL ? "" : (const char *)lf + 1;
    lua_rawgeti(L, CALLS, 1 + bytes[0] % CALL_COUNT);
    lua_pushvalue(L, of);
    lua_pushlstring(L, subject, lf == NULL ? 0 : size - pattern_len - 2);
    lua_pushlstring(L, (const char *)bytes + 1, pattern_len);
    lua_pushinteger(L, bytes[0] / CALL_COUNT - 8);
    return lua_pcall(L, 4, LUA_MULTRET, 0);
}

static void print(lua_State *L, int from, int to)
{
    for (int i = from; i <= to; i++) {
        size_t len = 0;
        const char *text = lua_tolstring(L, i, &len);
        fprintf(stderr, " \"%.*s\" (%s)", (int)len, text ? text : "", luaL_typename(L, i));
    }
    fputs("\n", stderr);
}

static void check_same(lua_State *L, int first, int second, bool same)
{
    int top = lua_gettop(L);
    same = same && second - first == top + 1 - second;
    for (int i = 0; same && i < second - first; i++)
        same = lua_rawequal(L, first + i, second + i) != 0;
    if (same)
        return;
    fputs("ours:", stderr);
    print(L, first, second - 1);
    fputs("Lua's own:", stderr);
    print(L, second, top);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static lua_State *L;
    if (L == NULL) {
        L = lua_state_open(chunk);
        pattern_install(L);
    }
    if (size == 0)
        return 0;
    int first = lua_gettop(L) + 1;
    steps_spent = 0;
    int status = call(L, OURS, bytes, size);
    if (is_out_of_steps()) {
        assert(status == LUA_ERRRUN);
    } else {
        int second = lua_gettop(L) + 1;
        int own = call(L, OWN, bytes, size);
        check_same(L, first, second, status == own);
    }
    lua_settop(L, OURS);
    return 0;
}
