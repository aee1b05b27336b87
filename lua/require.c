/*
 * require: owns the table of loaded modules. Promises that only text is ever loaded, never
 * bytecode, and that a module runs once.
 */
#include "require.h"

#include "embedded.h"
#include "engine.h"
#include "raise.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LENGTH 400

/* Pushes the chunk. */
static void push_source(lua_State *L, const struct bundle_source *source)
{
    char chunk[PATH_LENGTH + 1];

    snprintf(chunk, sizeof chunk, "%.*s", SLICE_ARG(source->chunk));
    if (luaL_loadbufferx(L, source->text.at, source->text.len, chunk, "t") != 0)
        lua_error(L);
}

/* Parts of letters, digits, '_' and '-', joined by dots: nothing that leaves the folder. */
static bool is_module_name(struct slice name)
{
    bool begun = false;

    for (size_t i = 0; i < name.len; i++) {
        char c = slice_lower(name.at[i]);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain && (c != '.' || !begun))
            return false;
        begun = plain;
    }
    return begun && name.len < 200;
}

static bool make_path(char path[PATH_LENGTH], struct slice folder, struct slice name,
                      const char *end)
{
    int length = snprintf(path, PATH_LENGTH, "%.*s%.*s%s", SLICE_ARG(folder), SLICE_ARG(name), end);

    if (length < 0 || length >= PATH_LENGTH)
        return false;
    for (size_t i = folder.len; i < folder.len + name.len; i++)
        if (path[i] == '.')
            path[i] = '/';
    return true;
}

/* Adds the file of a module to the bundle, or raises. */
static void gather(lua_State *L, struct bundle *b, struct slice name)
{
    static const char *const ends[] = {".lua", "/init.lua"};
    char path[PATH_LENGTH], why[128];
    struct stat about;

    for (size_t i = 0; i < 2; i++) {
        if (!make_path(path, b->folder, name, ends[i]) || stat(path, &about) != 0)
            continue;
        if (!bundle_add_file(b, name, path, why, sizeof why))
            luaL_error(L, "module '%s': %s %s", lua_tostring(L, 1), path, why);
        return;
    }
    make_path(path, b->folder, name, ".lua");
    luaL_error(L, "module '%s' is not here: there is no %s, and interim has no such module",
               lua_tostring(L, 1), path);
}

/* Its own modules come first: no file beside a policy stands in for one. */
static bool push_embedded(lua_State *L, struct slice name)
{
    char chunk[PATH_LENGTH];

    for (const struct embedded *m = embedded; m->name != NULL; m++) {
        if (!slice_equals(slice_of_string(m->name), name))
            continue;
        snprintf(chunk, sizeof chunk, "=%s", m->name);
        if (luaL_loadbufferx(L, (const char *)m->text, m->len, chunk, "t") != 0)
            lua_error(L);
        return true;
    }
    return false;
}

/* Pushes the module's chunk, or raises. */
static void push_module(lua_State *L, struct slice name)
{
    struct bundle *b = engine_of(L)->bundle;
    struct bundle_source source;

    if (b == NULL)
        luaL_error(L,
                   "module '%s' was not required while the policy was loaded: do it at the top "
                   "of the file",
                   lua_tostring(L, 1));
    if (!is_module_name(name))
        luaL_error(L, "'%s' is not the name of a module", lua_tostring(L, 1));
    if (push_embedded(L, name))
        return;
    if (!bundle_find(b, name, &source)) {
        if (b->gathered == NULL)
            luaL_error(L, "module '%s' is not in the bundle", lua_tostring(L, 1));
        gather(L, b, name);
        if (!bundle_find(b, name, &source))
            luaL_error(L, "module '%s' is lost", lua_tostring(L, 1));
    }
    push_source(L, &source);
}

/* Keeps the value on top, and takes it away, as what the name at 1 stands for. */
static void keep(lua_State *L)
{
    lua_pushvalue(L, 1);
    lua_insert(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
}

/* Runs the chunk on top. One that fails may be required again, and fails then for its own reason.
 */
static void run_module(lua_State *L)
{
    lua_pushboolean(L, 0);
    keep(L);
    if (lua_pcall(L, 0, 1, 0) == 0)
        return;
    lua_pushnil(L);
    keep(L);
    lua_error(L);
}

/* The upvalue maps names to modules; `false` stands for one that is being loaded. */
static int lua_require(lua_State *L)
{
    size_t len;
    const char *at = luaL_checklstring(L, 1, &len);

    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_toboolean(L, 2))
        return 1;
    if (!lua_isnil(L, 2))
        return luaL_error(L, "module '%s' requires itself, by way of others", at);
    lua_settop(L, 1);

    push_module(L, slice_of(at, len));
    run_module(L);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    keep(L);
    return 1;
}

void require_install(lua_State *L)
{
    int interim = lua_gettop(L);

    lua_newtable(L);
    lua_pushvalue(L, interim);
    lua_setfield(L, -2, "interim");
    lua_pushnil(L);
    while (lua_next(L, interim) != 0) { /* interim.json is the module "interim.json", too */
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1)) {
            lua_pushfstring(L, "interim.%s", lua_tostring(L, -2));
            lua_pushvalue(L, -2);
            lua_rawset(L, -5);
        }
        lua_pop(L, 1);
    }
    lua_pushcclosure(L, lua_require, 1);
    lua_setglobal(L, "require");
}

void require_provide(lua_State *L, const char *name)
{
    lua_getglobal(L, "require");
    lua_getupvalue(L, -1, 1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, name);
    lua_pop(L, 3);
}

void require_policy(lua_State *L)
{
    struct bundle_source source;

    if (!bundle_find(engine_of(L)->bundle, SLICE(""), &source))
        luaL_error(L, "the bundle holds no policy");
    push_source(L, &source);
    lua_call(L, 0, 1);
}
