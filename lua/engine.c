/*
 * engine: opens Lua states, runs a policy in them under its caps, and offers both ways of loading
 * to the core. Next on a request's way: hooks.c.
 */
#include "engine.h"

#include "base/log.h"
#include "base/sys.h"
#include "base/words.h"
#include "commands.h"
#include "config.h"
#include "hooks.h"
#include "require.h"
#include "sandbox.h"
#include "task.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

/* What loading may take. The policy's own limits are not known before it is loaded; then they hold,
 * and it must fit. */
#define LOAD_SECONDS 2.0
#define LOAD_MEMORY  ((size_t)256 << 20)
#define LOAD_RULE    "the most that loading may take"

struct engine *engine_of(lua_State *L)
{
    return LIST_OWNER(budget_of(L), struct engine, budget);
}

bool engine_protect(lua_State *L, lua_CFunction function, void *data)
{
    if (lua_cpcall(L, function, data) == 0)
        return true;
    lua_pop(L, 1);
    return false;
}

struct description {
    lua_CFunction function;
    void *data;
    char *text;
    size_t size;
};

static int describe(lua_State *L)
{
    const struct description *d = lua_touserdata(L, 1);

    lua_pushcfunction(L, d->function);
    lua_pushlightuserdata(L, d->data);
    lua_call(L, 1, 1);
    snprintf(d->text, d->size, "%s", lua_tostring(L, -1));
    return 0;
}

void engine_describe(struct engine *e, lua_CFunction function, void *data, char *text, size_t size)
{
    struct description d = {function, data, text, size};

    snprintf(text, size, "not enough memory");
    engine_protect(e->L, describe, &d);
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

void engine_collect(struct engine *e)
{
    if (!engine_protect(e->L, collect, NULL))
        log_error("policy: memory is out even for a collection; hooks may go on failing");
}

const char *engine_where(lua_State *L)
{
    struct engine *e = engine_of(L);

    if (e->task == NULL)
        return "policy, while it is loaded";
    snprintf(e->where, sizeof e->where, "%s: %s hook", e->task->call->view->request_id,
             policy_hook_name(e->task->call->hook));
    return e->where;
}

/* Unreachable as long as every call that can raise is protected; a state cannot go on after it. */
static int on_panic(lua_State *L)
{
    log_error("policy: an error outside of any protection: %s; the process ends",
              lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?");
    abort();
}

static int fill(lua_State *L)
{
    sandbox_open(L, lua_touserdata(L, 1));
    return 0;
}

struct engine *engine_open(const struct settings *settings)
{
    struct engine *e = sys_calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    list_init(&e->idle);
    e->budget.max = LOAD_MEMORY;
    e->budget.max_rule = LOAD_RULE;
    e->budget.seconds = LOAD_SECONDS;
    e->budget.rule = LOAD_RULE;
    e->L = lua_newstate(budget_allocate, &e->budget);
    if (e->L == NULL) {
        sys_free(e);
        return NULL;
    }
    lua_atpanic(e->L, on_panic);
    luaJIT_setmode(e->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (!engine_protect(e->L, fill, (void *)(uintptr_t)settings)) {
        engine_close(e);
        return NULL;
    }
    budget_watch(e->L);
    return e;
}

void engine_close(struct engine *e)
{
    lua_close(e->L);
    task_free_all(e);
    sys_free(e);
}

/* One run of a policy file. */
struct loading {
    const char *path;          /* "" in a worker */
    struct settings *settings; /* to fill; NULL in a worker */
    struct buf *errors;
    bool ok;
};

static bool is_line_number(const char *text)
{
    size_t digits = strspn(text + 1, "0123456789");

    return text[0] == ':' && digits > 0 && text[1 + digits] == ':';
}

/* Whether Lua has put "file:12:" before a message, the file being the policy or a module of it. */
static bool is_placed(const struct loading *l, const char *text)
{
    size_t path = strlen(l->path), name = strcspn(text, " :");

    if (strncmp(text, l->path, path) == 0 && is_line_number(text + path))
        return true;
    bool is_file = name > 4 && memcmp(text + name - 4, ".lua", 4) == 0;
    return is_line_number(text + name) && (is_file || strncmp(text, "interim.", 8) == 0);
}

static void complain(const struct loading *l, const char *text)
{
    char line[TEXT_MAX];

    snprintf(line, sizeof line, "%s", text);
    words_put_on_one_line(line);
    if (l->path[0] == '\0' || is_placed(l, line))
        buf_printf(l->errors, "%s\n", line);
    else
        buf_printf(l->errors, "%s: %s\n", l->path, line);
}

static int run_policy(lua_State *L)
{
    require_policy(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "policy");
    return 0;
}

/* The result is left in the registry, as "policy". */
static bool run(struct engine *e, const struct loading *l)
{
    char text[TEXT_MAX];

    budget_begin(e->L);
    int status = lua_cpcall(e->L, run_policy, NULL);
    budget_end(e->L);
    if (status == 0)
        return true;
    if (e->budget.no_memory)
        snprintf(text, sizeof text, "loading needs more than %g MiB of memory (%s)",
                 (double)e->budget.max / (1024 * 1024), e->budget.max_rule);
    else if (lua_type(e->L, -1) == LUA_TSTRING)
        snprintf(text, sizeof text, "%s", lua_tostring(e->L, -1));
    else
        snprintf(text, sizeof text, "the policy raised a %s value as an error",
                 luaL_typename(e->L, -1));
    lua_pop(e->L, 1);
    complain(l, text);
    return false;
}

static int keep_hooks(lua_State *L)
{
    struct engine *e = engine_of(L);

    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        lua_getfield(L, LUA_REGISTRYINDEX, "policy");
        lua_pushstring(L, policy_hook_name((enum policy_hook)hook));
        lua_rawget(L, -2);
        if (lua_isfunction(L, -1)) {
            e->hooks[hook] = luaL_ref(L, LUA_REGISTRYINDEX);
            e->policy.hooks |= 1u << hook;
        }
        lua_settop(L, 0);
    }
    /* The first luaL_unref makes room for the list of free references: not outside protection. */
    lua_pushboolean(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "policy");
    sandbox_seal(L);
    return 0;
}

static int read_settings(lua_State *L)
{
    struct loading *l = lua_touserdata(L, 1);

    lua_getfield(L, LUA_REGISTRYINDEX, "policy");
    l->ok = config_read(L, 2, l->path, l->settings, l->errors);
    return 0;
}

static bool fits(struct engine *e, const struct loading *l)
{
    char text[TEXT_MAX];

    engine_collect(e);
    if (e->budget.used <= l->settings->limits.policy_memory)
        return true;
    snprintf(text, sizeof text,
             "limits.policy_memory: the policy needs %zu bytes as soon as it is "
             "loaded; allow it more",
             e->budget.used);
    complain(l, text);
    return false;
}

static bool read_policy(const char *path, struct settings *settings, struct buf *gathered,
                        struct buf *errors)
{
    struct loading l = {path, settings, errors, false};
    struct bundle bundle;
    char why[128];

    if (!bundle_gather(&bundle, path, gathered) ||
        !bundle_add_file(&bundle, SLICE(""), path, why, sizeof why)) {
        complain(&l, bundle.gathered->end == 0 ? "not enough memory" : why);
        return false;
    }
    struct engine *e = engine_open(settings);
    if (e == NULL) {
        complain(&l, "not enough memory");
        return false;
    }
    e->bundle = &bundle;
    if (run(e, &l)) {
        if (!engine_protect(e->L, read_settings, &l))
            complain(&l, "not enough memory");
        else if (l.ok)
            l.ok = fits(e, &l);
    }
    engine_close(e);
    return l.ok;
}

static void finish(struct engine *e, const struct settings *settings, struct ev_loop *loop)
{
    e->bundle = NULL;
    e->settings = settings;
    e->loop = loop;
    e->budget.max = settings->limits.policy_memory;
    e->budget.max_rule = "limits.policy_memory";
    e->budget.seconds = settings->limits.hook_cpu;
    e->budget.rule = "limits.hook_cpu";
    e->policy.ops = &hooks_ops;
    if (settings->jit) {
        budget_unwatch(e->L);
        luaJIT_setmode(e->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
        log_warning("policy: jit = true: a hook that loops is not stopped any more, and holds up "
                    "its worker until that is replaced");
    }
    budget_pace(&e->budget, 0);
    engine_collect(e);
}

static struct policy *load_policy(struct slice bytes, const struct settings *settings,
                                  struct ev_loop *loop, struct buf *errors)
{
    struct loading l = {"", NULL, errors, false};
    struct bundle bundle;

    if (!bundle_replay(&bundle, bytes)) {
        complain(&l, "the policy's bundle is damaged");
        return NULL;
    }
    struct engine *e = engine_open(settings);
    if (e == NULL) {
        complain(&l, "not enough memory");
        return NULL;
    }
    e->bundle = &bundle;
    if (run(e, &l)) {
        if (engine_protect(e->L, keep_hooks, NULL)) {
            finish(e, settings, loop);
            return &e->policy;
        }
        complain(&l, "not enough memory");
    }
    engine_close(e);
    return NULL;
}

const struct policy_engine policy_engine = {
    .read = read_policy,
    .load = load_policy,
    .try = commands_try,
    .test = commands_test,
    .types = commands_types,
};
