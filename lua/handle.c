/*
 * handle: the one metatable that all light userdata share, and the check that no script gets past:
 * that the exchange a handle names is the one whose hook is running.
 */
#include "handle.h"

#include "base/words.h"
#include "raise.h"
#include "task.h"

#include <lauxlib.h>

/* LuaJIT keeps 47 bits of a light userdata, the lower 39 of them without a table of its own. */
#define ID_BITS 36
#define ID_MASK ((UINT64_C(1) << ID_BITS) - 1)

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

static bool is_current(const struct task *t, const void *handle)
{
    return t != NULL && (t->call->view->id & ID_MASK) == ((uint64_t)(uintptr_t)handle & ID_MASK);
}

struct policy_view *handle_view(lua_State *L, int index, enum handle_kind *kind)
{
    const void *handle = lua_touserdata(L, index);
    const struct task *t = engine_of(L)->task;

    *kind = lua_islightuserdata(L, index) ? kind_of(handle) : HANDLE_NONE;
    if (*kind == HANDLE_NONE)
        luaL_error(L, "a request or response expected, got %s", luaL_typename(L, index));
    if (!is_current(t, handle))
        luaL_error(L, "%s is used outside the hooks of its own exchange", classes[*kind]->name);
    if ((classes[*kind]->hooks & 1u << t->call->hook) == 0)
        luaL_error(L, "%s means nothing in the %s hook", classes[*kind]->name,
                   policy_hook_name(t->call->hook));
    return t->call->view;
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
    const char *names[32];
    char hint[WORDS_HINT_MAX];
    size_t count = 0;

    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "%s has no field of type %s", class->name, luaL_typename(L, 2));
    for (const struct handle_field *f = class->fields; f->name != NULL; f++)
        names[count++] = f->name;
    words_hint(hint, sizeof hint, slice_of_string(lua_tostring(L, 2)), names, count);
    return luaL_error(L, "%s has no field \"%s\"%s", class->name, lua_tostring(L, 2), hint);
}

/* The upvalue holds, for each kind, a table from the names of its fields to their numbers. */
static const struct handle_field *find_field(lua_State *L, enum handle_kind kind)
{
    lua_rawgeti(L, lua_upvalueindex(1), (int)kind);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    int number = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (number == 0)
        refuse_field(L, classes[kind]);
    return &classes[kind]->fields[number - 1];
}

static int handle_index(lua_State *L)
{
    enum handle_kind kind;
    struct policy_view *view = handle_view(L, 1, &kind);

    if (classes[kind]->index != NULL)
        return classes[kind]->index(L, kind, view);
    find_field(L, kind)->get(L, view);
    return 1;
}

static int handle_newindex(lua_State *L)
{
    enum handle_kind kind;
    struct policy_view *view = handle_view(L, 1, &kind);

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

static void push_field_numbers(lua_State *L)
{
    lua_newtable(L);
    for (int kind = HANDLE_NONE + 1; kind < HANDLE_COUNT; kind++) {
        lua_newtable(L);
        const struct handle_field *fields = classes[kind]->fields;
        for (int i = 0; fields != NULL && fields[i].name != NULL; i++) {
            lua_pushinteger(L, i + 1);
            lua_setfield(L, -2, fields[i].name);
        }
        lua_rawseti(L, -2, kind);
    }
}

void handle_install(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    lua_newtable(L);
    push_field_numbers(L);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, handle_index, 1);
    lua_setfield(L, -3, "__index");
    lua_pushcclosure(L, handle_newindex, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, handle_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
