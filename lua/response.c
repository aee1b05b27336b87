/*
 * response: the fields of `res` in the response hook and in the log hook, and of `t` and `e`, what
 * the timeout and error hooks are told.
 */
#include "handle.h"

#include "http/response.h"

#include <lauxlib.h>
#include <stddef.h>

static void get_status(lua_State *L, struct policy_view *view)
{
    lua_pushinteger(L, view->response->head.status);
}

static bool is_bodiless(int status)
{
    return status == 204 || status == 304;
}

static void set_status(lua_State *L, struct policy_view *view)
{
    int before = view->response->head.status;
    double number = lua_type(L, 3) == LUA_TNUMBER ? lua_tonumber(L, 3) : 0;

    if (!(number >= 200 && number <= 599) || number != (double)(int)number)
        luaL_error(L, "res.status must be a whole number between 200 and 599");
    int after = (int)number;
    /* Whether a body follows is decided by the status, and was decided when the head came. */
    if (is_bodiless(before) != is_bodiless(after))
        luaL_error(L, "res.status: %d has %s body and %d has %s", before,
                   is_bodiless(before) ? "no" : "a", after, is_bodiless(after) ? "none" : "one");
    view->response->head.status = after;
    view->response->head.reason = slice_of_string(response_reason(after));
}

static void get_reason(lua_State *L, struct policy_view *view)
{
    handle_push_slice(L, view->response->head.reason);
}

static void get_response_headers(lua_State *L, struct policy_view *view)
{
    handle_push(L, HANDLE_RESPONSE_HEADERS, view);
}

static void get_response_size(lua_State *L, struct policy_view *view)
{
    const struct framing *f = &view->response->framing;

    if (f->kind == FRAMING_CHUNKED || f->kind == FRAMING_CLOSE)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)f->length);
}

static void get_response_upstream(lua_State *L, struct policy_view *view)
{
    handle_push_text(L, view->upstream < 0 ? NULL : view->settings->upstreams[view->upstream].name);
}

static const struct handle_field response_fields[] = {
    {"status", get_status, set_status},        {"reason", get_reason, NULL},
    {"headers", get_response_headers, NULL},   {"body_size", get_response_size, NULL},
    {"upstream", get_response_upstream, NULL}, {NULL, NULL, NULL},
};

const struct handle_class response_class = {"res", 1u << HOOK_RESPONSE, response_fields, NULL,
                                            NULL};

/* The rest only shows plain members: one getter for each, told by their type. */
#define SHOW(from, member, push)                                                                   \
    static void show_##from##_##member(lua_State *L, struct policy_view *view)                     \
    {                                                                                              \
        push(L, view->from->member);                                                               \
    }
#define SHOWN(from, member)                                                                        \
    {                                                                                              \
#member, show_##from##_##member, NULL                                                      \
    }

static void push_count(lua_State *L, uint64_t n)
{
    lua_pushnumber(L, (double)n);
}

static void push_code(lua_State *L, int code)
{
    if (code == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, code);
}

static void push_flag(lua_State *L, bool flag)
{
    lua_pushboolean(L, flag);
}

SHOW(trouble, kind, handle_push_text)
SHOW(trouble, status, push_code)
SHOW(trouble, after, lua_pushnumber)
SHOW(trouble, elapsed, lua_pushnumber)
SHOW(trouble, upstream, handle_push_text)
SHOW(trouble, address, handle_push_text)
SHOW(trouble, detail, handle_push_text)
SHOW(trouble, interims, push_count)
SHOW(trouble, last_interim, push_code)
SHOW(trouble, bytes_sent, push_count)

static const struct handle_field trouble_fields[] = {
    SHOWN(trouble, kind),       SHOWN(trouble, status),   SHOWN(trouble, after),
    SHOWN(trouble, elapsed),    SHOWN(trouble, upstream), SHOWN(trouble, address),
    SHOWN(trouble, detail),     SHOWN(trouble, interims), SHOWN(trouble, last_interim),
    SHOWN(trouble, bytes_sent), {NULL, NULL, NULL},
};

const struct handle_class trouble_class = {"the trouble", 1u << HOOK_TIMEOUT | 1u << HOOK_ERROR,
                                           trouble_fields, NULL, NULL};

SHOW(result, status, push_code)
SHOW(result, outcome, handle_push_text)
SHOW(result, error, handle_push_text)
SHOW(result, upstream, handle_push_text)
SHOW(result, address, handle_push_text)
SHOW(result, expect, handle_push_text)
SHOW(result, upgrade, handle_push_text)
SHOW(result, interim_count, push_count)
SHOW(result, bytes_in, push_count)
SHOW(result, bytes_out, push_count)
SHOW(result, tunnel_in, push_count)
SHOW(result, tunnel_out, push_count)
SHOW(result, elapsed, lua_pushnumber)
SHOW(result, connect, lua_pushnumber)
SHOW(result, first_byte, lua_pushnumber)
SHOW(result, reused, push_flag)

static void show_result_interims(lua_State *L, struct policy_view *view)
{
    const struct policy_result *r = view->result;
    size_t kept = r->interim_count < POLICY_INTERIM_CODES ? r->interim_count : POLICY_INTERIM_CODES;

    lua_createtable(L, (int)kept, 0);
    for (size_t i = 0; i < kept; i++) {
        lua_pushinteger(L, r->interims[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static const struct handle_field result_fields[] = {
    SHOWN(result, status),     SHOWN(result, outcome),   SHOWN(result, error),
    SHOWN(result, upstream),   SHOWN(result, address),   SHOWN(result, expect),
    SHOWN(result, upgrade),    SHOWN(result, interims),  SHOWN(result, interim_count),
    SHOWN(result, bytes_in),   SHOWN(result, bytes_out), SHOWN(result, tunnel_in),
    SHOWN(result, tunnel_out), SHOWN(result, elapsed),   SHOWN(result, connect),
    SHOWN(result, first_byte), SHOWN(result, reused),    {NULL, NULL, NULL},
};

const struct handle_class result_class = {"res", 1u << HOOK_LOG, result_fields, NULL, NULL};
