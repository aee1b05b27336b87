/*
 * request: the fields of `req` and `req.client`. Reading asks the core's structs, and nothing is
 * copied before it is asked for; what may be set goes through the core's own checks.
 */
#include "handle.h"
#include "base/words.h"

#include <lauxlib.h>

static void get_method(lua_State *L, struct policy_view *view)
{
    handle_push_slice(L, view->request->head.method);
}

static void get_target(lua_State *L, struct policy_view *view)
{
    handle_push_slice(L, view->request->head.target);
}

static void get_path(lua_State *L, struct policy_view *view)
{
    handle_push_slice(L, view->request->path);
}

static struct slice check_text(lua_State *L, const char *what)
{
    size_t len;

    if (lua_type(L, 3) != LUA_TSTRING)
        luaL_error(L, "%s must be text, not %s", what, handle_name(L, 3));
    const char *at = lua_tolstring(L, 3, &len);
    return slice_of(at, len);
}

static void set_path(lua_State *L, struct policy_view *view)
{
    handle_require_hook(L, HOOK_REQUEST, "req.path");
    struct slice path = check_text(L, "req.path");
    if (slice_equals(path, view->request->path))
        return; /* that of OPTIONS * cannot be set, but be left */
    if (!request_set_path(view->request, path, view->settings->limits.request_line))
        luaL_error(L, "req.path must start with \"/\", hold visible ASCII but no \"?\" or \"#\", "
                      "and keep to limits.request_line");
}

static void get_query(lua_State *L, struct policy_view *view)
{
    if (view->request->query.at == NULL)
        lua_pushnil(L);
    else
        handle_push_slice(L, view->request->query);
}

static void set_query(lua_State *L, struct policy_view *view)
{
    struct slice query = {NULL, 0};

    handle_require_hook(L, HOOK_REQUEST, "req.query");
    if (!lua_isnil(L, 3))
        query = check_text(L, "req.query");
    if (!request_set_query(view->request, query, view->settings->limits.request_line))
        luaL_error(L, "req.query must be nil or hold visible ASCII but no \"#\", "
                      "and keep to limits.request_line");
}

static void get_version(lua_State *L, struct policy_view *view)
{
    lua_pushstring(L, view->request->head.minor == 0 ? "1.0" : "1.1");
}

static void get_scheme(lua_State *L, struct policy_view *view)
{
    (void)view;
    lua_pushliteral(L, "http");
}

static void get_host(lua_State *L, struct policy_view *view)
{
    handle_push_slice(L, view->request->host);
}

static void get_headers(lua_State *L, struct policy_view *view)
{
    handle_push(L, HANDLE_REQUEST_HEADERS, view);
}

static void get_client(lua_State *L, struct policy_view *view)
{
    handle_push(L, HANDLE_CLIENT, view);
}

static void get_body_size(lua_State *L, struct policy_view *view)
{
    if (view->request->framing.kind == FRAMING_CHUNKED)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)view->request->framing.length);
}

static void get_upgrade(lua_State *L, struct policy_view *view)
{
    const struct upgrade_offers *offers = &view->request->offers;

    lua_createtable(L, (int)offers->count, 0);
    for (size_t i = 0; i < offers->count; i++) {
        handle_push_slice(L, offers->protocol[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void get_expects_continue(lua_State *L, struct policy_view *view)
{
    lua_pushboolean(L, view->request->expect == EXPECT_HELD);
}

static void get_id(lua_State *L, struct policy_view *view)
{
    lua_pushstring(L, view->request_id);
}

static void get_upstream(lua_State *L, struct policy_view *view)
{
    if (view->upstream < 0)
        lua_pushnil(L);
    else
        lua_pushstring(L, view->settings->upstreams[view->upstream].name);
}

static void set_upstream(lua_State *L, struct policy_view *view)
{
    const struct settings *s = view->settings;
    const char *names[SETTINGS_UPSTREAMS];
    char hint[WORDS_HINT_MAX];

    handle_require_hook(L, HOOK_REQUEST, "req.upstream");
    struct slice name = check_text(L, "req.upstream");
    int index = settings_find_upstream(s, name);
    if (index < 0) {
        for (size_t i = 0; i < s->upstream_count; i++)
            names[i] = s->upstreams[i].name;
        luaL_error(L, "req.upstream: no upstream is named \"%s\"%s", lua_tostring(L, 3),
                   words_hint(hint, sizeof hint, name, names, s->upstream_count));
    }
    view->upstream = index;
}

static void get_max_body(lua_State *L, struct policy_view *view)
{
    if (view->max_body == UINT64_MAX)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)view->max_body);
}

static void set_max_body(lua_State *L, struct policy_view *view)
{
    double bytes = -1;

    handle_require_hook(L, HOOK_REQUEST, "req.max_body");
    if (lua_isnil(L, 3)) {
        view->max_body = UINT64_MAX;
        return;
    }
    if (lua_type(L, 3) == LUA_TNUMBER)
        bytes = lua_tonumber(L, 3);
    else if (lua_type(L, 3) == LUA_TSTRING)
        words_to_bytes(check_text(L, "req.max_body"), &bytes);
    if (!(bytes >= 0 && bytes <= 9e15))
        luaL_error(L, "req.max_body must be a number of bytes, a text such as \"64k\", \"50m\", "
                      "\"1g\", or nil for no limit");
    view->max_body = (uint64_t)bytes;
}

/* A table of the operator's own for each exchange, made when it is first asked for. */
static void get_ctx(lua_State *L, struct policy_view *view)
{
    if (view->engine == NULL) {
        lua_newtable(L);
        view->engine = (void *)(intptr_t)luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)(intptr_t)view->engine);
}

static const struct handle_field request_fields[] = {
    {"method", get_method, NULL},
    {"target", get_target, NULL},
    {"path", get_path, set_path},
    {"query", get_query, set_query},
    {"version", get_version, NULL},
    {"scheme", get_scheme, NULL},
    {"host", get_host, NULL},
    {"headers", get_headers, NULL},
    {"client", get_client, NULL},
    {"body_size", get_body_size, NULL},
    {"upgrade", get_upgrade, NULL},
    {"expects_continue", get_expects_continue, NULL},
    {"id", get_id, NULL},
    {"upstream", get_upstream, set_upstream},
    {"max_body", get_max_body, set_max_body},
    {"ctx", get_ctx, NULL},
    {NULL, NULL, NULL},
};

const struct handle_class request_class = {"req", HANDLE_IN_ALL, request_fields, NULL, NULL};

static void get_client_address(lua_State *L, struct policy_view *view)
{
    char text[ADDR_TEXT_MAX];

    lua_pushstring(L, addr_host(view->client, text));
}

static void get_client_port(lua_State *L, struct policy_view *view)
{
    unsigned port = addr_port(view->client);

    if (port == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)port);
}

static const struct handle_field client_fields[] = {
    {"address", get_client_address, NULL},
    {"port", get_client_port, NULL},
    {NULL, NULL, NULL},
};

const struct handle_class client_class = {"req.client", HANDLE_IN_ALL, client_fields, NULL, NULL};
