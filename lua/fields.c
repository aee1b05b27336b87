/*
 * fields: `req.headers` and `res.headers`: reading is free of copies, and what a script sets is
 * checked like bytes from the wire.
 */
#include "handle.h"

#include "sequence.h"
#include "task.h"

#include <lauxlib.h>

#define BYTES_PER_STEP 4 /* of a value that is looked at */

static struct head *head_in(enum handle_kind kind, struct policy_view *view)
{
    return kind == HANDLE_REQUEST_HEADERS ? &view->request->head : &view->response->head;
}

static struct head *head_of(lua_State *L, int index)
{
    enum handle_kind kind;
    struct policy_view *view = handle_view(L, index, &kind);

    if (kind != HANDLE_REQUEST_HEADERS && kind != HANDLE_RESPONSE_HEADERS)
        luaL_error(L, "headers expected: call it as headers:name(...)");
    return head_in(kind, view);
}

static struct slice check_slice(lua_State *L, int index)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);

    return slice_of(at, len);
}

/* headers:all(name): every value of that name, in order. */
static int headers_all(lua_State *L)
{
    const struct head *h = head_of(L, 1);
    struct slice name = check_slice(L, 2);
    int found = 0;

    lua_newtable(L);
    for (size_t i = 0; i < h->count; i++) {
        if (slice_equals_nocase(h->fields[i].name, name)) {
            handle_push_slice(L, h->fields[i].value);
            lua_rawseti(L, -2, ++found);
        }
    }
    return 1;
}

/* The upvalues: names and values in turn, and how many of them were given. */
static int next_field(lua_State *L)
{
    int given = (int)lua_tointeger(L, lua_upvalueindex(2));

    lua_rawgeti(L, lua_upvalueindex(1), given + 1);
    if (lua_isnil(L, -1))
        return 1;
    lua_rawgeti(L, lua_upvalueindex(1), given + 2);
    lua_pushinteger(L, given + 2);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

/* for name, value in headers:each() do: over what there is now, whatever the loop changes. */
static int headers_each(lua_State *L)
{
    const struct head *h = head_of(L, 1);
    int place = 0;

    lua_createtable(L, (int)h->count * 2, 0);
    for (size_t i = 0; i < h->count; i++) {
        handle_push_slice(L, h->fields[i].name);
        lua_rawseti(L, -2, ++place);
        handle_push_slice(L, h->fields[i].value);
        lua_rawseti(L, -2, ++place);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_field, 2);
    return 1;
}

static void push_joined(lua_State *L, const struct head *h, size_t first)
{
    struct slice name = h->fields[first].name;
    luaL_Buffer joined;

    luaL_buffinit(L, &joined);
    luaL_addlstring(&joined, h->fields[first].value.at, h->fields[first].value.len);
    for (size_t i = first + 1; i < h->count; i++) {
        if (slice_equals_nocase(h->fields[i].name, name)) {
            luaL_addlstring(&joined, ", ", 2);
            luaL_addlstring(&joined, h->fields[i].value.at, h->fields[i].value.len);
        }
    }
    luaL_pushresult(&joined);
}

static int headers_index(lua_State *L, enum handle_kind kind, struct policy_view *view)
{
    const struct head *h = head_in(kind, view);
    struct slice name = check_slice(L, 2);
    size_t first = h->count;

    if (slice_equals(name, SLICE("all"))) {
        lua_pushcfunction(L, headers_all);
        return 1;
    }
    if (slice_equals(name, SLICE("each"))) {
        lua_pushcfunction(L, headers_each);
        return 1;
    }
    for (size_t i = 0; i < h->count; i++) {
        if (!slice_equals_nocase(h->fields[i].name, name))
            continue;
        if (first < h->count) {
            push_joined(L, h, first);
            return 1;
        }
        first = i;
    }
    if (first == h->count)
        lua_pushnil(L);
    else
        handle_push_slice(L, h->fields[first].value);
    return 1;
}

static void check_editable(lua_State *L, enum handle_kind kind, struct slice name)
{
    if (kind == HANDLE_REQUEST_HEADERS)
        handle_require_hook(L, HOOK_REQUEST, "req.headers");
    if (!slice_is_token(name))
        luaL_error(L, "headers: \"%s\" is not a field name", lua_tostring(L, 2));
    if (field_is_framing(field_id_of(name)))
        luaL_error(L, "headers: \"%s\" can be read, but is written by the proxy alone",
                   lua_tostring(L, 2));
}

/* Paid for, since a list may have one long text many times. */
static struct slice check_value(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
        luaL_error(L, "headers: the value of \"%s\" must be text, a list of texts or nil, not %s",
                   lua_tostring(L, 2), handle_name(L, index));
    struct slice value = slice_trim(check_slice(L, index));
    budget_spend(L, (unsigned)(value.len / BYTES_PER_STEP) + 1);
    if (!lint_is_value(value))
        luaL_error(L, "headers: the value of \"%s\" holds a control byte (CR, LF, NUL)",
                   lua_tostring(L, 2));
    return value;
}

static int refuse_memory(lua_State *L)
{
    return luaL_error(L, "headers: the exchange has no memory left for \"%s\"", lua_tostring(L, 2));
}

static int set_list(lua_State *L, struct head *h, struct slice name)
{
    char why[SEQUENCE_WHY_MAX];
    int count = sequence_length(L, 3, why);

    budget_check(L);
    if (count < 0)
        return luaL_error(L, "headers: in the list of values for \"%s\" %s", lua_tostring(L, 2),
                          why);
    for (int i = 1; i <= count; i++) { /* all are checked before any is set */
        lua_rawgeti(L, 3, i);
        check_value(L, -1);
        lua_pop(L, 1);
    }
    head_remove(h, name);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        if (!head_add(h, name, check_value(L, -1)))
            return refuse_memory(L);
        lua_pop(L, 1);
    }
    return 0;
}

static int headers_newindex(lua_State *L, enum handle_kind kind, struct policy_view *view)
{
    struct head *h = head_in(kind, view);
    struct slice name = check_slice(L, 2);

    check_editable(L, kind, name);
    if (lua_isnil(L, 3))
        head_remove(h, name);
    else if (lua_istable(L, 3))
        return set_list(L, h, name);
    else if (!head_set(h, name, check_value(L, 3)))
        return refuse_memory(L);
    return 0;
}

const struct handle_class request_headers_class = {
    .name = "req.headers",
    .hooks = HANDLE_IN_ALL,
    .index = headers_index,
    .newindex = headers_newindex,
};

const struct handle_class response_headers_class = {
    .name = "res.headers",
    .hooks = 1u << HOOK_RESPONSE,
    .index = headers_index,
    .newindex = headers_newindex,
};
