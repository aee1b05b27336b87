/*
 * handle: the one metatable that all light userdata share, and the check that no script gets past:
 * that the exchange a handle names is the one whose hook is running.
 */
#include "handle.h"

#include "base/words.h"
#include "raise.h"
#include "task.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

/* LuaJIT keeps 47 bits of a light userdata, the lower 39 of them without a table of its own. */
#define ID_BITS 36
#define ID_MASK ((UINT64_C(1) << ID_BITS) - 1)

#define FIELDS_MAX 32 /* of one kind of handle */

static const struct handle_class *const classes[HANDLE_COUNT] = {
    [HANDLE_REQUEST] = &request_class,
    [HANDLE_REQUEST_HEADERS] = &request_headers_class,
    [HANDLE_CLIENT] = &client_class,
    [HANDLE_RESPONSE] = &response_class,
    [HANDLE_RESPONSE_HEADERS] = &response_headers_class,
    [HANDLE_TROUBLE] = &trouble_class,
    [HANDLE_RESULT] = &result_class,
};

static enum handle_kind kind_of(const void *handle)
{
    uint64_t bits = (uint64_t)(uintptr_t)handle >> ID_BITS;

    return bits < HANDLE_COUNT ? (enum handle_kind)bits : HANDLE_NONE;
}

void handle_push(lua_State *L, enum handle_kind kind, const struct policy_view *view)
{
    uint64_t bits = (uint64_t)kind << ID_BITS | (view->id & ID_MASK);

    lua_pushlightuserdata(L, (void *)(uintptr_t)bits);
}

const char *handle_name(lua_State *L, int index)
{
    const void *handle = lua_touserdata(L, index);
    enum handle_kind kind = kind_of(handle);

    if (!lua_islightuserdata(L, index))
        return luaL_typename(L, index);
    if (handle == NULL)
        return "interim.json.null";
    return kind == HANDLE_NONE ? "userdata" : classes[kind]->name;
}

static bool is_current(const struct task *t, const void *handle)
{
    return t != NULL && (t->call->view->id & ID_MASK) == ((uint64_t)(uintptr_t)handle & ID_MASK);
}

/* Only ever the view of the hook that runs: a handle that is none leads nowhere else. */
static struct policy_view *view_of(lua_State *L, int index, const void *handle,
                                   enum handle_kind kind)
{
    const struct task *t = engine_of(L)->task;

    if (kind == HANDLE_NONE)
        luaL_error(L, "headers expected, got %s: call it as headers:name(...)",
                   handle_name(L, index));
    if (!is_current(t, handle))
        luaL_error(L, "%s is used outside the hooks of its own exchange", classes[kind]->name);
    if ((classes[kind]->hooks & 1u << t->call->hook) == 0)
        luaL_error(L, "%s means nothing in the %s hook", classes[kind]->name,
                   policy_hook_name(t->call->hook));
    return t->call->view;
}

struct policy_view *handle_view(lua_State *L, int index, enum handle_kind *kind)
{
    const void *handle = lua_touserdata(L, index);

    *kind = lua_islightuserdata(L, index) ? kind_of(handle) : HANDLE_NONE;
    return view_of(L, index, handle, *kind);
}

void handle_require_hook(lua_State *L, enum policy_hook hook, const char *what)
{
    if (engine_of(L)->task->call->hook != hook)
        luaL_error(L, "%s can be changed in the %s hook only", what, policy_hook_name(hook));
}

void handle_push_slice(lua_State *L, struct slice s)
{
    lua_pushlstring(L, s.at, s.len);
}

void handle_push_text(lua_State *L, const char *text)
{
    if (text == NULL || *text == '\0')
        lua_pushnil(L);
    else
        lua_pushstring(L, text);
}

static int refuse_field(lua_State *L, const struct handle_class *class)
{
    const char *names[FIELDS_MAX];
    char hint[WORDS_HINT_MAX];
    size_t count = 0;

    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "%s has no field of type %s", class->name, luaL_typename(L, 2));
    for (const struct handle_field *f = class->fields; f->name != NULL; f++)
        names[count++] = f->name;
    words_hint(hint, sizeof hint, slice_of_string(lua_tostring(L, 2)), names, count);
    return luaL_error(L, "%s has no field \"%s\"%s", class->name, lua_tostring(L, 2), hint);
}

/* Lua has each text once, so the names of fields are found by where they lie. */
struct names {
    const void *of[HANDLE_COUNT][FIELDS_MAX + 1]; /* as classes[].fields; NULL behind the last */
};

static const struct handle_field *find_field(lua_State *L, enum handle_kind kind)
{
    const struct names *names = lua_touserdata(L, lua_upvalueindex(1));
    const void *name = lua_topointer(L, 2);

    for (size_t i = 0; names->of[kind][i] != NULL; i++)
        if (names->of[kind][i] == name)
            return &classes[kind]->fields[i];
    refuse_field(L, classes[kind]);
    return NULL;
}

/* What comes through the metatable of light userdata is one; null of JSON is, too. */
static struct policy_view *own_view(lua_State *L, enum handle_kind *kind)
{
    const void *handle = lua_touserdata(L, 1);

    if (handle == NULL)
        luaL_error(L, "interim.json.null has no fields; a value from JSON may be null");
    *kind = kind_of(handle);
    return view_of(L, 1, handle, *kind);
}

static int handle_index(lua_State *L)
{
    enum handle_kind kind;
    struct policy_view *view = own_view(L, &kind);

    if (classes[kind]->index != NULL)
        return classes[kind]->index(L, kind, view);
    find_field(L, kind)->get(L, view);
    return 1;
}

static int handle_newindex(lua_State *L)
{
    enum handle_kind kind;
    struct policy_view *view = own_view(L, &kind);

    if (classes[kind]->newindex != NULL)
        return classes[kind]->newindex(L, kind, view);
    const struct handle_field *field = find_field(L, kind);
    if (field->set == NULL)
        return luaL_error(L, "%s.%s is read-only", classes[kind]->name, field->name);
    field->set(L, view);
    return 0;
}

static int handle_tostring(lua_State *L)
{
    const void *handle = lua_touserdata(L, 1);
    enum handle_kind kind = kind_of(handle);

    if (kind == HANDLE_NONE)
        lua_pushstring(L, handle == NULL ? "null" : "userdata");
    else
        lua_pushfstring(L, "%s %d", classes[kind]->name,
                        (int)((uint64_t)(uintptr_t)handle & 0x7fffffff));
    return 1;
}

/* Pushes them, and a table that keeps them where they are. */
static void push_names(lua_State *L)
{
    struct names *names = lua_newuserdata(L, sizeof *names);

    memset(names, 0, sizeof *names);
    lua_newtable(L);
    for (int kind = HANDLE_NONE + 1; kind < HANDLE_COUNT; kind++) {
        const struct handle_field *fields = classes[kind]->fields;
        for (size_t i = 0; fields != NULL && fields[i].name != NULL; i++) {
            assert(i < FIELDS_MAX);
            lua_pushstring(L, fields[i].name);
            names->of[kind][i] = lua_topointer(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        }
    }
}

/* A closure over the names, which are below the table that keeps them. */
static void set_closure(lua_State *L, const char *event, lua_CFunction function)
{
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, -4, event);
}

void handle_install(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    lua_newtable(L);
    push_names(L);
    set_closure(L, "__index", handle_index);
    set_closure(L, "__newindex", handle_newindex);
    lua_pop(L, 2);
    lua_pushcfunction(L, handle_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
