/*
 * sandbox: builds the environment from lists of names, wraps what could catch the budget's error,
 * and has everything sealed once a policy is loaded.
 */
#include "sandbox.h"

#include "base/log.h"
#include "engine.h"
#include "handle.h"
#include "library.h"
#include "pattern.h"
#include "require.h"
#include "seal.h"
#include "sleep.h"
#include "task.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define NAMES_MAX        32
#define PCALL_FRAMES_MAX 1000

/* One library and what of it scripts may see. The base library's name is the globals' own. */
struct allowed {
    const char *name;
    lua_CFunction open;
    const char *names[NAMES_MAX];
};

static const struct allowed allowed[] = {
    {"_G",
     luaopen_base,
     {"_G", "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
      "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type",
      "unpack", "coroutine"}},
    {LUA_COLIBNAME, NULL, {"create", "resume", "running", "status", "wrap", "yield"}},
    {LUA_STRLIBNAME,
     luaopen_string,
     {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
      "sub", "upper"}},
    {LUA_TABLIBNAME, luaopen_table, {"concat", "insert", "maxn", "remove", "sort"}},
    {LUA_MATHLIBNAME,
     luaopen_math,
     {"abs",   "acos", "asin",  "atan",   "atan2",      "ceil", "cos",   "cosh", "deg", "exp",
      "floor", "fmod", "frexp", "huge",   "ldexp",      "log",  "log10", "max",  "min", "modf",
      "pi",    "pow",  "rad",   "random", "randomseed", "sin",  "sinh",  "sqrt", "tan", "tanh"}},
    {LUA_BITLIBNAME,
     luaopen_bit,
     {"arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit",
      "tohex"}},
    {LUA_OSLIBNAME, luaopen_os, {"clock", "date", "getenv", "time"}},
};

#define LIBRARIES (sizeof allowed / sizeof allowed[0])

/*
 * In Lua, since LuaJIT's own pcall and resume can be left by interim.sleep and a C wrapper cannot.
 * Whatever they caught is passed on only if the budget still holds. LuaJIT's own sort counts no
 * instructions unless a function of the script's compares.
 */
static const char wrappers[] =
    "local enter, check, pcall, create, resume, error, sort = ...\n"
    "local function checked(...) check() return ... end\n"
    "local function unwrapped(ok, ...)\n"
    "  check()\n"
    "  if not ok then error((...), 0) end\n"
    "  return ...\n"
    "end\n"
    "local function wrap(f)\n"
    "  local co = create(f)\n"
    "  return function(...) check() return unwrapped(resume(co, ...)) end\n"
    "end\n"
    "local function less(a, b) return a < b end\n"
    "return function(f, ...) enter() return checked(pcall(f, ...)) end,\n"
    "  function(co, ...) check() return checked(resume(co, ...)) end, wrap,\n"
    "  function(t, f) if f == nil then f = less end return sort(t, f) end\n";

static int lua_check(lua_State *L)
{
    budget_check(L);
    return 0;
}

/* An error is caught once for every pcall on its way: thousands of them would be a while. */
static int lua_enter(lua_State *L)
{
    lua_Debug ar;

    if (lua_getstack(L, PCALL_FRAMES_MAX, &ar) != 0)
        return luaL_error(L, "stack overflow: pcall more than %d functions deep", PCALL_FRAMES_MAX);
    return 0;
}

/* A hook's own coroutine belongs to the event loop: a script neither sees it nor leaves it. */
static bool is_hook_coroutine(lua_State *L)
{
    const struct task *t = engine_of(L)->task;

    return t != NULL && t->L == L;
}

static int lua_running(lua_State *L)
{
    if (is_hook_coroutine(L) || lua_pushthread(L) == 1)
        lua_pushnil(L);
    return 1;
}

static int lua_yield_checked(lua_State *L)
{
    if (is_hook_coroutine(L))
        return luaL_error(L, "coroutine.yield outside a coroutine of the policy's own; "
                             "to wait, call interim.sleep");
    return lua_yield(L, lua_gettop(L));
}

static int lua_rawset_checked(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    seal_check(L, "rawset");
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

/* LuaJIT's own takes any position, and table.insert({}, -2^31, x) keeps it busy for a minute. */
static int lua_insert_checked(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    seal_check(L, "table.insert");
    int end = (int)lua_objlen(L, 1) + 1;
    int place = end;

    if (lua_gettop(L) == 3) {
        double wanted = luaL_checknumber(L, 2);
        if (!(wanted >= 1 && wanted <= end))
            return luaL_argerror(L, 2, "position out of bounds");
        place = (int)wanted;
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    for (int i = end; i > place; i--) {
        lua_rawgeti(L, 1, i - 1);
        lua_rawseti(L, 1, i);
    }
    lua_rawseti(L, 1, place);
    budget_spend(L, (unsigned)(end - place));
    return 0;
}

static int lua_print(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_Buffer line;
    size_t len;

    budget_check(L);
    lua_getglobal(L, "tostring");
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, ' ');
        lua_pushvalue(L, count + 1);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_error(L, "print: tostring must return text");
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    const char *at = lua_tolstring(L, -1, &len);
    library_log(L, LOG_INFO, slice_of(at, len));
    return 0;
}

static bool is_loader(const char *name)
{
    static const char *const loaders[] = {"load", "loadstring", "loadfile", "dofile"};

    for (size_t i = 0; i < sizeof loaders / sizeof loaders[0]; i++)
        if (strcmp(name, loaders[i]) == 0)
            return true;
    return false;
}

static bool is_allowed(const struct allowed *a, const struct settings *s, const char *name)
{
    if (a == &allowed[0] && settings_allows(s, SETTINGS_ALLOWABLE_LOAD) && is_loader(name))
        return true;
    if (a->open == luaopen_os && settings_allows(s, SETTINGS_ALLOWABLE_OS))
        return true;
    for (size_t i = 0; i < NAMES_MAX && a->names[i] != NULL; i++)
        if (strcmp(a->names[i], name) == 0)
            return true;
    return false;
}

/* Leaves in the table on top only what is on the list. */
static void prune(lua_State *L, const struct allowed *a, const struct settings *s)
{
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING && is_allowed(a, s, lua_tostring(L, -1)))
            continue;
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
}

/* What the operator allows beyond the sandbox, by name on the command line. */
static void open_allowed(lua_State *L, const struct settings *s)
{
    static const struct {
        const char *name;
        lua_CFunction open;
    } libraries[SETTINGS_ALLOWABLE_COUNT] = {
        [SETTINGS_ALLOWABLE_IO] = {LUA_IOLIBNAME, luaopen_io},
        [SETTINGS_ALLOWABLE_FFI] = {LUA_FFILIBNAME, luaopen_ffi},
        [SETTINGS_ALLOWABLE_JIT] = {LUA_JITLIBNAME, luaopen_jit},
        [SETTINGS_ALLOWABLE_DEBUG] = {LUA_DBLIBNAME, luaopen_debug},
    };

    for (unsigned i = 0; i < SETTINGS_ALLOWABLE_COUNT; i++) {
        if (!settings_allows(s, i) || libraries[i].open == NULL)
            continue;
        lua_pushcfunction(L, libraries[i].open);
        lua_pushstring(L, libraries[i].name);
        lua_call(L, 1, 1);
        /* ffi leaves it to its caller to name it; what jit returns is another table. */
        if (libraries[i].open == luaopen_ffi)
            lua_setglobal(L, libraries[i].name);
        else
            lua_pop(L, 1);
    }
}

/* By which the registry has a library: what its global means is the policy's while it is loaded. */
static void push_key_of(lua_State *L, const struct allowed *a)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)a);
}

static void open_libraries(lua_State *L, const struct settings *s)
{
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (allowed[i].open == NULL)
            continue;
        lua_pushcfunction(L, allowed[i].open);
        lua_pushstring(L, i == 0 ? "" : allowed[i].name);
        lua_call(L, 1, 0);
    }
    /* The base library's list goes last: it would take the other libraries away. */
    for (size_t i = 1; i < LIBRARIES; i++) {
        lua_getglobal(L, allowed[i].name);
        prune(L, &allowed[i], s);
    }
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    prune(L, &allowed[0], s);
    lua_pop(L, 1);
    for (size_t i = LIBRARIES; i-- > 1;) {
        push_key_of(L, &allowed[i]);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
        lua_setglobal(L, allowed[i].name);
    }
    open_allowed(L, s);
}

static void wrap_functions(lua_State *L)
{
    if (luaL_loadbufferx(L, wrappers, sizeof wrappers - 1, "=interim", "t") != 0)
        lua_error(L);
    lua_pushcfunction(L, lua_enter);
    lua_pushcfunction(L, lua_check);
    lua_getglobal(L, "pcall");
    lua_getglobal(L, LUA_COLIBNAME);
    lua_getfield(L, -1, "create");
    lua_getfield(L, -2, "resume");
    lua_remove(L, -3);
    lua_getglobal(L, "error");
    lua_getglobal(L, LUA_TABLIBNAME);
    lua_getfield(L, -1, "sort");
    lua_remove(L, -2);
    lua_call(L, 7, 4);
    lua_getglobal(L, LUA_TABLIBNAME);
    lua_insert(L, -2);
    lua_setfield(L, -2, "sort");
    lua_pop(L, 1);
    lua_getglobal(L, LUA_COLIBNAME);
    lua_insert(L, -3);
    lua_setfield(L, -3, "wrap");
    lua_setfield(L, -2, "resume");
    lua_pushcfunction(L, lua_running);
    lua_setfield(L, -2, "running");
    lua_pushcfunction(L, lua_yield_checked);
    lua_setfield(L, -2, "yield");
    lua_pop(L, 1);
    lua_setglobal(L, "pcall");

    lua_getglobal(L, LUA_TABLIBNAME);
    lua_pushcfunction(L, lua_insert_checked);
    lua_setfield(L, -2, "insert");
    lua_pop(L, 1);
    lua_pushcfunction(L, lua_rawset_checked);
    lua_setglobal(L, "rawset");
    lua_pushcfunction(L, lua_print);
    lua_setglobal(L, "print");
}

static void guard_strings(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    pattern_install(L);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* LuaJIT's generator starts from the same seed in every process. */
static void seed_random(lua_State *L)
{
    unsigned seed = 0;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        log_warning("no randomness to seed math.random with; it repeats itself");
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, (double)seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

void sandbox_open(lua_State *L, const struct settings *settings)
{
    open_libraries(L, settings);
    wrap_functions(L);
    guard_strings(L);
    seed_random(L);
    handle_install(L);
    lua_newtable(L);
    library_install(L);
    sleep_install(L);
    require_install(L);
    lua_pushliteral(L, "interim");
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
}

static void seal_interim(lua_State *L)
{
    char name[64];

    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "interim");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_istable(L, -1) && !luaL_getmetafield(L, -1, "__metatable")) {
            snprintf(name, sizeof name, "interim.%s", lua_tostring(L, -2));
            seal_table(L, name);
        }
        lua_settop(L, 2);
    }
    seal_table(L, "interim");
    lua_pop(L, 2);
}

void sandbox_seal(lua_State *L)
{
    for (size_t i = 1; i < LIBRARIES; i++) {
        push_key_of(L, &allowed[i]);
        lua_rawget(L, LUA_REGISTRYINDEX);
        seal_table(L, allowed[i].name);
        if (strcmp(allowed[i].name, LUA_STRLIBNAME) == 0) {
            lua_pushliteral(L, "");
            lua_getmetatable(L, -1);
            lua_pushvalue(L, -3);
            lua_setfield(L, -2, "__index");
        }
        lua_settop(L, 0);
    }
    seal_interim(L);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    seal_table(L, "_G");
    lua_settop(L, 0);
}
