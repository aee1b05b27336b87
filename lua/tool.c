/*
 * tool: owns the module "interim.tool". What it is given comes from lua/interim/, which checks its
 * users' arguments; a policy under trial has a state of its own.
 */
#include "tool.h"

#include "base/words.h"
#include "http/response.h"
#include "require.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCES_MAX (64u << 20)
#define PATH_LENGTH 1024

static int put(lua_State *L, FILE *file)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);

    fwrite(text, 1, len, file);
    return 0;
}

/* write(text), to standard output */
static int lua_write(lua_State *L)
{
    return put(L, stdout);
}

/* complain(text), to standard error */
static int lua_complain(lua_State *L)
{
    fflush(stdout);
    return put(L, stderr);
}

/* hint(word, words): `; did you mean "…"?` or "" */
static int lua_hint(lua_State *L)
{
    const char *words[64];
    char hint[WORDS_HINT_MAX];
    size_t count = 0, len;
    const char *word = luaL_checklstring(L, 1, &len);

    luaL_checktype(L, 2, LUA_TTABLE);
    for (; count < 64; count++) {
        lua_rawgeti(L, 2, (int)count + 1);
        words[count] = lua_tostring(L, -1);
        lua_pop(L, 1); /* the list keeps it */
        if (words[count] == NULL)
            break;
    }
    lua_pushstring(L, words_hint(hint, sizeof hint, slice_of(word, len), words, count));
    return 1;
}

/* reason(status): "Not Found" */
static int lua_reason(lua_State *L)
{
    lua_pushstring(L, response_reason((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* where(level): "file:12" of a caller; 1 is who calls this */
static int lua_where_of(lua_State *L)
{
    size_t len;

    luaL_where(L, (int)luaL_checkinteger(L, 1));
    const char *text = lua_tolstring(L, -1, &len);
    lua_pushlstring(L, text, len > 2 ? len - 2 : 0);
    return 1;
}

/* attempt(f, ...): as pcall, and with a CPU budget of its own. */
static int lua_attempt(lua_State *L)
{
    struct engine *e = engine_of(L);

    luaL_checktype(L, 1, LUA_TFUNCTION);
    budget_begin(L);
    int status = lua_pcall(L, lua_gettop(L) - 1, 0, 0);
    budget_end(L);
    if (e->budget.no_memory)
        engine_collect(e);
    lua_pushboolean(L, status == 0);
    if (status == 0)
        return 1;
    lua_insert(L, -2);
    return 2;
}

/* run_script(): the script that the tool was opened for. */
static int lua_run_script(lua_State *L)
{
    require_policy(L);
    return 0;
}

/* allow(names): the bits of what `--allow` lists; nil, why if a name is unknown */
static int lua_allow(lua_State *L)
{
    size_t len;
    const char *names = luaL_checklstring(L, 1, &len);
    unsigned allow = 0;
    char why[256];

    if (settings_read_allow(slice_of(names, len), &allow, why, sizeof why)) {
        lua_pushinteger(L, (lua_Integer)allow);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* trial(path, allow): relative to the script, or to the current folder if there is none. */
static int lua_trial(lua_State *L)
{
    struct slice folder = engine_of(L)->bundle->folder;
    const char *name = luaL_checkstring(L, 1);
    char path[PATH_LENGTH];

    if (name[0] == '/')
        folder.len = 0;
    int len = snprintf(path, sizeof path, "%.*s%s", SLICE_ARG(folder), name);
    if (len < 0 || (size_t)len >= sizeof path)
        return luaL_error(L, "%s: the path is too long", name);
    return trial_push(L, path, (unsigned)luaL_optinteger(L, 2, 0));
}

static const luaL_Reg functions[] = {
    {"write", lua_write},
    {"complain", lua_complain},
    {"hint", lua_hint},
    {"reason", lua_reason},
    {"where", lua_where_of},
    {"attempt", lua_attempt},
    {"run_script", lua_run_script},
    {"allow", lua_allow},
    {"trial", lua_trial},
    {NULL, NULL},
};

static int provide(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    lua_pushboolean(L, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
    lua_setfield(L, -2, "colours");
    require_provide(L, "interim.tool");
    return 0;
}

bool tool_open(struct tool *t, const char *script, char *why, size_t why_size)
{
    struct settings *defaults = malloc(sizeof *defaults);

    *t = (struct tool){0};
    buf_init(&t->sources, SOURCES_MAX);
    snprintf(why, why_size, "not enough memory");
    if (defaults == NULL)
        return false;
    settings_default(defaults);
    if (bundle_gather(&t->bundle, script != NULL ? script : "", &t->sources) &&
        (script == NULL || bundle_add_file(&t->bundle, SLICE(""), script, why, why_size)))
        t->e = engine_open(defaults);
    free(defaults);
    if (t->e == NULL)
        return false;
    t->e->bundle = &t->bundle;
    t->e->budget.rule = "the most that a test may take";
    t->e->budget.max_rule = t->e->budget.rule;
    return engine_protect(t->e->L, provide, NULL);
}

void tool_close(struct tool *t)
{
    if (t->e != NULL)
        engine_close(t->e);
    buf_free(&t->sources);
    t->e = NULL;
}

struct call {
    const char *module;
    int (*push)(lua_State *L, void *data);
    void *data;
    int *results;
    int count;
};

static int call_module(lua_State *L)
{
    const struct call *call = lua_touserdata(L, 1);

    lua_getglobal(L, "require");
    lua_pushstring(L, call->module);
    lua_call(L, 1, 1);
    lua_call(L, call->push(L, call->data), call->count);
    for (int i = 0; i < call->count; i++)
        call->results[i] = (int)lua_tointeger(L, i - call->count);
    return 0;
}

bool tool_call(struct tool *t, const char *module, int (*push)(lua_State *L, void *data),
               void *data, int *results, int count)
{
    struct call call = {module, push, data, results, count};
    lua_State *L = t->e->L;

    if (lua_cpcall(L, call_module, &call) == 0)
        return true;
    fflush(stdout);
    fprintf(stderr, "interim: %s\n",
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error without a text");
    lua_pop(L, 1);
    return false;
}
