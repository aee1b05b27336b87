/*
 * tool_trial: trials as objects of the tools' Lua: tables in, tables out. Which question follows
 * which is for lua/interim/way.lua.
 */
#include "told.h"
#include "tool.h"
#include "trial.h"

#include "proxy/trouble.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TRIAL  "interim.trial"
#define LEVELS 4

static struct trial *check_trial(lua_State *L)
{
    return luaL_checkudata(L, 1, TRIAL);
}

/* As luaL_error, but without the place: that is in lua/interim/ and tells the user nothing. */
static int refuse(lua_State *L, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    return lua_error(L);
}

static struct slice check_slice(lua_State *L, int index)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);

    return slice_of(at, len);
}

static void set_slice(lua_State *L, const char *key, struct slice s)
{
    lua_pushlstring(L, s.at, s.len);
    lua_setfield(L, -2, key);
}

/* fields = { { name, value }, … } of the table on top */
static void set_fields(lua_State *L, const struct field *fields, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 2, 0);
        lua_pushlstring(L, fields[i].name.at, fields[i].name.len);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, fields[i].value.at, fields[i].value.len);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "fields");
}

static void set_offers(lua_State *L, const struct upgrade_offers *offers)
{
    lua_createtable(L, (int)offers->count, 0);
    for (size_t i = 0; i < offers->count; i++) {
        lua_pushlstring(L, offers->protocol[i].at, offers->protocol[i].len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "offers");
}

/* What the origin will be offered. */
static void set_upgrade(lua_State *L, const struct trial *t, const struct verdict *v)
{
    struct upgrade_offers offers = v->offers;

    if (v->kind == VERDICT_DEFAULT || v->kind == VERDICT_FAILED)
        upgrade_default(&t->request.offers, &offers);
    set_offers(L, &offers);
}

/* log = { { level =, text = }, … } of the table on top */
static void set_log(lua_State *L, const struct trial *t)
{
    static const char *const levels[LEVELS] = {"debug", "info", "warning", "error"};
    struct slice rest = buf_slice(&t->log);

    lua_newtable(L);
    for (int i = 1; rest.len > 0; i++) {
        size_t end = slice_find(rest, '\n');
        lua_createtable(L, 0, 2);
        lua_pushstring(L, levels[(rest.at[0] - '0') % LEVELS]);
        lua_setfield(L, -2, "level");
        set_slice(L, "text", slice_of(rest.at + 1, end - 1));
        lua_rawseti(L, -2, i);
        rest = slice_skip(rest, end + 1);
    }
    lua_setfield(L, -2, "log");
}

/* t:begin(head, client): what the core found out about the request; nil, status, why if it is bad.
 * Raises if there is no such client. */
static int lua_begin(lua_State *L)
{
    struct trial *t = check_trial(L);
    struct fault fault;
    char why[256], client[ADDR_TEXT_MAX];

    if (!trial_begin(t, check_slice(L, 2), check_slice(L, 3), &fault, why, sizeof why))
        return refuse(L, "%s", why);
    if (fault_is(fault)) {
        lua_pushnil(L);
        lua_pushinteger(L, fault.status);
        lua_pushstring(L, fault.why);
        return 3;
    }
    lua_newtable(L);
    set_slice(L, "method", t->request.head.method);
    set_slice(L, "target", t->request.head.target);
    set_slice(L, "client", slice_of_string(addr_text(&t->client, client)));
    lua_pushboolean(L, t->request.expect == EXPECT_HELD);
    lua_setfield(L, -2, "expects");
    lua_pushboolean(L, t->request.wants_answer_here);
    lua_setfield(L, -2, "last_hop");
    set_offers(L, &t->request.offers);
    return 1;
}

/* t:id(): what req.id is, and what log lines begin with */
static int lua_id(lua_State *L)
{
    lua_pushstring(L, check_trial(L)->id);
    return 1;
}

static enum policy_hook check_hook(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);

    for (int i = 0; i < HOOK_COUNT; i++)
        if (strcmp(policy_hook_name((enum policy_hook)i), name) == 0)
            return (enum policy_hook)i;
    refuse(L, "no hook is called \"%s\"", name);
    return HOOK_COUNT;
}

/* t:has(hook) */
static int lua_has(lua_State *L)
{
    const struct trial *t = check_trial(L);

    lua_pushboolean(L, policy_has(t->policy, check_hook(L, 2)));
    return 1;
}

/* t:ask(hook) */
static int lua_ask(lua_State *L)
{
    static const char *const kinds[] = {
        [VERDICT_DEFAULT] = "default",   [VERDICT_FORWARD] = "forward",
        [VERDICT_CONTINUE] = "continue", [VERDICT_OFFER] = "offer",
        [VERDICT_ORDINARY] = "ordinary", [VERDICT_ANSWER] = "answer",
        [VERDICT_FAILED] = "failed",
    };
    struct trial *t = check_trial(L);
    enum policy_hook hook = check_hook(L, 2);
    const struct verdict *v = trial_ask(t, hook);

    lua_newtable(L);
    lua_pushstring(L, kinds[v->kind]);
    lua_setfield(L, -2, "kind");
    set_log(L, t);
    if (t->waited > 0) {
        lua_pushnumber(L, t->waited);
        lua_setfield(L, -2, "waited");
    }
    if (hook == HOOK_UPGRADE && v->kind != VERDICT_ANSWER)
        set_upgrade(L, t, v);
    if (v->kind != VERDICT_ANSWER)
        return 1;
    lua_pushinteger(L, v->status);
    lua_setfield(L, -2, "status");
    set_fields(L, v->fields, v->field_count);
    if (policy_answer_is_bodiless(v->status))
        set_slice(L, "body", SLICE(""));
    else if (v->has_body)
        set_slice(L, "body", v->body);
    return 1;
}

/* t:request(): what hooks may edit, as it is now */
static int lua_request(lua_State *L)
{
    struct trial *t = check_trial(L);

    lua_newtable(L);
    set_slice(L, "path", t->request.path);
    if (t->request.query.at != NULL)
        set_slice(L, "query", t->request.query);
    if (t->view.upstream >= 0)
        set_slice(L, "upstream", slice_of_string(t->settings.upstreams[t->view.upstream].name));
    if (t->view.max_body != UINT64_MAX) {
        lua_pushnumber(L, (double)t->view.max_body);
        lua_setfield(L, -2, "max_body");
    }
    set_fields(L, t->request.head.fields, t->request.head.count);
    return 1;
}

static int push_fault(lua_State *L, struct fault fault)
{
    if (!fault_is(fault))
        return 0;
    lua_pushinteger(L, fault.status);
    lua_pushstring(L, fault.why);
    return 2;
}

/* t:request_over_limits(), t:response_over_limits(): the status to answer with, and why; or nil */
static int lua_request_over_limits(lua_State *L)
{
    return push_fault(L, policy_request_fault(&check_trial(L)->view));
}

static int lua_response_over_limits(lua_State *L)
{
    return push_fault(L, policy_response_fault(&check_trial(L)->view));
}

/* t:respond(head): nothing, or why it is no response */
static int lua_respond(lua_State *L)
{
    struct trial *t = check_trial(L);
    struct fault fault = trial_respond(t, check_slice(L, 2));

    lua_pushstring(L, fault.why); /* NULL pushes nil */
    return 1;
}

/* t:response(): as t:request() */
static int lua_response(lua_State *L)
{
    struct trial *t = check_trial(L);

    lua_newtable(L);
    lua_pushinteger(L, t->response.head.status);
    lua_setfield(L, -2, "status");
    set_fields(L, t->response.head.fields, t->response.head.count);
    return 1;
}

/* t:troubles(): { { kind =, hook =, status =, after = }, … }, for the upstream chosen so far */
static int lua_troubles(lua_State *L)
{
    struct trial *t = check_trial(L);
    const struct timeouts *timeouts = t->view.upstream < 0
                                          ? &t->settings.timeouts
                                          : &t->settings.upstreams[t->view.upstream].timeouts;

    lua_newtable(L);
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        enum trouble trouble = (enum trouble)i;
        lua_newtable(L);
        set_slice(L, "kind", slice_of_string(trouble_kind(trouble)));
        lua_pushinteger(L, trouble_status(trouble, t->settings.statuses));
        lua_setfield(L, -2, "status");
        double after = trouble_after(trouble, timeouts);
        lua_pushnumber(L, after);
        lua_setfield(L, -2, "after");
        set_slice(L, "hook", after > 0 ? SLICE("timeout") : SLICE("error"));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* t:origin(): the address that would be tried first, "" if there is none */
static int lua_origin(lua_State *L)
{
    struct trial *t = check_trial(L);
    char text[ADDR_TEXT_MAX] = "";

    if (t->view.upstream >= 0)
        addr_text(&t->settings.addresses[t->settings.upstreams[t->view.upstream].first], text);
    lua_pushstring(L, text);
    return 1;
}

/* t:fails_open(): on_error = "default" */
static int lua_fails_open(lua_State *L)
{
    lua_pushboolean(L, check_trial(L)->settings.on_error_default);
    return 1;
}

/* t:set_trouble(table) */
static int lua_set_trouble(lua_State *L)
{
    struct trial *t = check_trial(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    told_trouble(L, t);
    return 0;
}

/* t:set_result(table) */
static int lua_set_result(lua_State *L)
{
    struct trial *t = check_trial(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    told_result(L, t);
    return 0;
}

/* ---- the object ---- */

static int lua_close_trial(lua_State *L)
{
    trial_close(check_trial(L));
    return 0;
}

static const luaL_Reg methods[] = {
    {"begin", lua_begin},
    {"id", lua_id},
    {"has", lua_has},
    {"ask", lua_ask},
    {"request", lua_request},
    {"request_over_limits", lua_request_over_limits},
    {"response_over_limits", lua_response_over_limits},
    {"respond", lua_respond},
    {"response", lua_response},
    {"troubles", lua_troubles},
    {"origin", lua_origin},
    {"fails_open", lua_fails_open},
    {"set_trouble", lua_set_trouble},
    {"set_result", lua_set_result},
    {NULL, NULL},
};

static void set_metatable(lua_State *L)
{
    if (luaL_newmetatable(L, TRIAL)) {
        lua_pushcfunction(L, lua_close_trial);
        lua_setfield(L, -2, "__gc");
        lua_newtable(L);
        for (const luaL_Reg *m = methods; m->name != NULL; m++) {
            lua_pushcfunction(L, m->func);
            lua_setfield(L, -2, m->name);
        }
        lua_setfield(L, -2, "__index");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
}

int trial_push(lua_State *L, const char *path, unsigned allow)
{
    char text[4096];
    struct buf errors;
    struct trial *t = lua_newuserdata(L, sizeof *t);

    memset(t, 0, sizeof *t);
    set_metatable(L);
    buf_init(&errors, sizeof text - 1);
    bool ok = trial_open(t, path, allow, &errors);
    struct slice why = buf_slice(&errors);
    while (why.len > 0 && why.at[why.len - 1] == '\n')
        why.len--;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(why));
    buf_free(&errors);
    if (!ok) {
        lua_pushstring(L, text);
        return lua_error(L);
    }
    lua_newtable(L);
    set_log(L, t);
    lua_getfield(L, -1, "log");
    lua_remove(L, -2);
    return 2;
}
