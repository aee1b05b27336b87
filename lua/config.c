/*
 * config: the rows that describe every data field of a policy, and the readers of those that need
 * one; those of upstreams stand in config_upstreams.c. Next: core/proxy/settings.c checks what
 * concerns several fields.
 */
#include "config.h"

#include "config_local.h"
#include "http/lint.h"
#include "proxy/policy.h"
#include "schema.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define YEAR  31536000.0
#define SHORT 0.001

#define SECONDS(name, member, least)                                                               \
    {                                                                                              \
        name, SCHEMA_SECONDS, offsetof(struct timeouts, member), least, YEAR, NULL, NULL           \
    }
#define RESTARTS                                                                                   \
    {                                                                                              \
        "processing_restarts", SCHEMA_FLAG, offsetof(struct timeouts, processing_restarts), 0, 0,  \
            NULL, NULL                                                                             \
    }

static const struct schema_rule timeout_rules[] = {
    SECONDS("header", header, SHORT),
    SECONDS("idle", idle, SHORT),
    SECONDS("body", body, SHORT),
    SECONDS("connect", connect, SHORT),
    SECONDS("send", send, SHORT),
    SECONDS("response", response, SHORT),
    SECONDS("processing", processing, SHORT),
    SECONDS("exchange", exchange, SHORT),
    SECONDS("stall", stall, SHORT),
    SECONDS("half_close", half_close, 0),
    SECONDS("tunnel", tunnel, SHORT),
    SECONDS("hook", hook, SHORT),
    SECONDS("continue", continue_, 0),
    SECONDS("linger", linger, 0),
    SECONDS("upstream_idle", upstream_idle, SHORT),
    RESTARTS,
};

/* What can differ from origin to origin: the rest runs before one is chosen. */
static const struct schema_rule upstream_timeout_rules[] = {
    SECONDS("body", body, SHORT),
    SECONDS("connect", connect, SHORT),
    SECONDS("send", send, SHORT),
    SECONDS("response", response, SHORT),
    SECONDS("processing", processing, SHORT),
    SECONDS("stall", stall, SHORT),
    SECONDS("tunnel", tunnel, SHORT),
    SECONDS("continue", continue_, 0),
    SECONDS("upstream_idle", upstream_idle, SHORT),
    RESTARTS,
};

static const char *const balances[] = {"round_robin", "least", NULL};

static const struct schema_rule upstream_rules[] = {
    {"addresses", SCHEMA_CUSTOM, 0, 0, 0, NULL, config_read_addresses},
    {"balance", SCHEMA_CHOICE, offsetof(struct settings_upstream, balance), 0, 0, balances, NULL},
    {"timeouts", SCHEMA_CUSTOM, 0, 0, 0, NULL, config_read_upstream_timeouts},
    {"proxy_protocol", SCHEMA_CUSTOM, 0, 0, 0, NULL, config_read_proxy_version},
};

#define LIMIT(kind, member, least, most)                                                           \
    {                                                                                              \
#member, SCHEMA_##kind, offsetof(struct limits, member), least, most, NULL, NULL           \
    }

static const struct schema_rule limit_rules[] = {
    LIMIT(BYTES, request_line, 64, 1024 * 1024),
    LIMIT(BYTES, head, 256, 1024 * 1024),
    LIMIT(COUNT, fields, 1, LINT_FIELDS_MAX),
    LIMIT(COUNT, interim, 0, 1000000),
    LIMIT(BYTES, interim_bytes, 0, 1073741824),
    LIMIT(BYTES, linger_bytes, 0, 1073741824),
    LIMIT(COUNT, upstream_idle, 0, 100000),
    LIMIT(BYTES, policy_memory, 1024 * 1024, 1099511627776),
    LIMIT(SECONDS, hook_cpu, SHORT, 60),
    LIMIT(COUNT, generations, 1, 1000),
    LIMIT(COUNT, connections, 1, 10000000),
    LIMIT(COUNT, connections_per_address, 0, 10000000),
    LIMIT(COUNT, requests, 0, 1000000000),
    LIMIT(BYTES, buffered, 0, 1099511627776),
};

static void read_timeouts(struct schema *s, int index)
{
    config_read_table(s, index, CONFIG_TIMEOUTS, &s->settings->timeouts);
}

static void read_limits(struct schema *s, int index)
{
    config_read_table(s, index, CONFIG_LIMITS, &s->settings->limits);
}

static void add_listener(struct schema *s, struct slice text)
{
    char why[CONFIG_WHY_MAX];

    if (!settings_add_listener(s->settings, text, why, sizeof why))
        schema_complain(s, "%s", why);
}

static void read_listen(struct schema *s, int index)
{
    schema_each(s, index, true, "an address such as \"127.0.0.1:8080\" or a port", add_listener);
}

static void read_workers(struct schema *s, int index)
{
    double number = lua_type(s->L, index) == LUA_TNUMBER ? lua_tonumber(s->L, index) : 0;

    if (lua_type(s->L, index) == LUA_TSTRING && slice_equals(schema_text(s, index), SLICE("auto")))
        s->settings->workers = 0;
    else if (number >= 1 && number <= SETTINGS_WORKERS && number == (double)(unsigned)number)
        s->settings->workers = (unsigned)number;
    else
        schema_complain(s, "must be \"auto\" or a whole number between 1 and %d", SETTINGS_WORKERS);
}

static void read_access_log(struct schema *s, int index)
{
    struct slice text = {NULL, 0};

    if (lua_type(s->L, index) == LUA_TSTRING)
        text = schema_text(s, index);
    if (lua_isboolean(s->L, index) && !lua_toboolean(s->L, index))
        s->settings->access_log = LOG_FORM_NONE;
    else if (slice_equals(text, SLICE("text")))
        s->settings->access_log = LOG_FORM_TEXT;
    else if (slice_equals(text, SLICE("json")))
        s->settings->access_log = LOG_FORM_JSON;
    else
        schema_complain(s, "must be \"text\", \"json\" or false");
}

static void read_admin_address(struct schema *s, int index)
{
    char why[CONFIG_WHY_MAX];
    struct addr found;

    if (lua_type(s->L, index) != LUA_TSTRING && lua_type(s->L, index) != LUA_TNUMBER)
        schema_complain(s, "must be an address such as \"127.0.0.1:9901\", not a %s",
                        luaL_typename(s->L, index));
    else if (addr_parse(schema_text(s, index), true, &found, 1, why, sizeof why) == 0)
        schema_complain(s, "%s", why);
    else
        s->settings->admin = found;
}

static const struct schema_rule admin_rules[] = {
    {"listen", SCHEMA_CUSTOM, 0, 0, 0, NULL, read_admin_address},
    {"public", SCHEMA_FLAG, offsetof(struct settings, admin_public), 0, 0, NULL, NULL},
};

static void read_admin(struct schema *s, int index)
{
    size_t before = s->failures;

    if (!lua_istable(s->L, index)) {
        read_admin_address(s, index);
        return;
    }
    config_read_table(s, index, CONFIG_ADMIN, s->settings);
    if (s->settings->admin.len == 0 && s->failures == before)
        schema_complain(s, "listen is missing: write for example "
                           "admin = { listen = \"0.0.0.0:9901\", public = true }");
}

static void add_network(struct schema *s, struct slice text)
{
    char why[CONFIG_WHY_MAX];

    if (s->settings->trusted_count == SETTINGS_NETWORKS)
        schema_complain(s, "more than %d networks", SETTINGS_NETWORKS);
    else if (!addr_net_parse(text, &s->settings->trusted[s->settings->trusted_count], why,
                             sizeof why))
        schema_complain(s, "%s", why);
    else
        s->settings->trusted_count++;
}

static void read_trusted(struct schema *s, int index)
{
    schema_each(s, index, false, "an address or a network such as \"10.0.0.0/8\"", add_network);
}

static void read_pseudonym(struct schema *s, int index)
{
    struct slice name = SLICE("");

    if (lua_type(s->L, index) == LUA_TSTRING)
        name = schema_text(s, index);
    if (!slice_is_token(name) || name.len >= sizeof s->settings->via) {
        schema_complain(s, "must be a name of up to %zu letters, digits, '-', '.' or '_'",
                        sizeof s->settings->via - 1);
        return;
    }
    memcpy(s->settings->via, name.at, name.len);
    s->settings->via[name.len] = '\0';
}

static const struct schema_rule via_rules[] = {
    {"name", SCHEMA_CUSTOM, 0, 0, 0, NULL, read_pseudonym},
    {"responses", SCHEMA_FLAG, offsetof(struct settings, via_responses), 0, 0, NULL, NULL},
};

static void read_via(struct schema *s, int index)
{
    if (lua_isboolean(s->L, index) && !lua_toboolean(s->L, index))
        s->settings->via[0] = '\0';
    else if (lua_istable(s->L, index))
        config_read_table(s, index, CONFIG_VIA, s->settings);
    else
        read_pseudonym(s, index);
}

static void read_on_error(struct schema *s, int index)
{
    struct slice text = {NULL, 0};

    if (lua_type(s->L, index) == LUA_TSTRING)
        text = schema_text(s, index);
    s->settings->on_error_default = slice_equals(text, SLICE("default"));
    if (!s->settings->on_error_default && !slice_equals(text, SLICE("deny")))
        schema_complain(s, "must be \"deny\" or \"default\"");
}

static void read_user(struct schema *s, int index)
{
    struct slice name = {NULL, 0};

    if (lua_type(s->L, index) == LUA_TSTRING)
        name = schema_text(s, index);
    if (name.len == 0 || name.len >= sizeof s->settings->user ||
        memchr(name.at, '\0', name.len) != NULL) {
        schema_complain(s, "must be the name of a user");
        return;
    }
    memcpy(s->settings->user, name.at, name.len);
    s->settings->user[name.len] = '\0';
}

static const char *const statuses[] = {"default", "standard", "cloudflare", NULL};

#define CUSTOM(name, read)                                                                         \
    {                                                                                              \
        name, SCHEMA_CUSTOM, 0, 0, 0, NULL, read                                                   \
    }
#define HOOK(name)                                                                                 \
    {                                                                                              \
        name, SCHEMA_HOOK, 0, 0, 0, NULL, NULL                                                     \
    }

/* In the order of reading: timeouts before upstreams, which start from them; those before
 * `upstream`, which names one. */
static const struct schema_rule policy_rules[] = {
    CUSTOM("timeouts", read_timeouts),
    CUSTOM("limits", read_limits),
    CUSTOM("listen", read_listen),
    CUSTOM("upstreams", config_read_upstreams),
    CUSTOM("upstream", config_read_upstream),
    CUSTOM("workers", read_workers),
    {"statuses", SCHEMA_CHOICE, offsetof(struct settings, statuses), 0, 0, statuses, NULL},
    CUSTOM("access_log", read_access_log),
    CUSTOM("admin", read_admin),
    CUSTOM("trusted_proxies", read_trusted),
    {"proxy_protocol", SCHEMA_FLAG, offsetof(struct settings, proxy_protocol), 0, 0, NULL, NULL},
    CUSTOM("via", read_via),
    CUSTOM("on_error", read_on_error),
    {"drain", SCHEMA_SECONDS, offsetof(struct settings, drain), 0, YEAR, NULL, NULL},
    CUSTOM("user", read_user),
    {"jit", SCHEMA_FLAG, offsetof(struct settings, jit), 0, 0, NULL, NULL},
    HOOK("request"),
    HOOK("expect"),
    HOOK("upgrade"),
    HOOK("timeout"),
    HOOK("error"),
    HOOK("response"),
    HOOK("log"),
};

#define TABLE(name, rules)                                                                         \
    {                                                                                              \
        name, rules, sizeof(rules) / sizeof(rules)[0]                                              \
    }

const struct config_table config_tables[] = {
    [CONFIG_POLICY] = TABLE("policy", policy_rules),
    [CONFIG_TIMEOUTS] = TABLE("timeouts", timeout_rules),
    [CONFIG_LIMITS] = TABLE("limits", limit_rules),
    [CONFIG_UPSTREAM] = TABLE("upstream", upstream_rules),
    [CONFIG_UPSTREAM_TIMEOUTS] = TABLE("upstream_timeouts", upstream_timeout_rules),
    [CONFIG_ADMIN] = TABLE("admin", admin_rules),
    [CONFIG_VIA] = TABLE("via", via_rules),
    {NULL, NULL, 0},
};

void config_read_table(struct schema *s, int index, enum config_place place, void *base)
{
    const struct config_table *table = &config_tables[place];

    schema_read(s, index, table->rules, table->count, base);
}

static bool has(const struct schema *s, int index, const char *key)
{
    lua_pushstring(s->L, key);
    lua_rawget(s->L, index);
    bool given = !lua_isnil(s->L, -1);
    lua_pop(s->L, 1);
    return given;
}

static void check_whole(struct schema *s, int index)
{
    char why[CONFIG_WHY_MAX];

    if (!has(s, index, "listen"))
        schema_complain(s, "listen: missing; say where clients connect, for example "
                           "listen = \"127.0.0.1:8080\"");
    if (!has(s, index, "upstreams") && !has(s, index, "upstream"))
        schema_complain(s, "upstream: missing; say where requests go, for example "
                           "upstream = \"127.0.0.1:9000\"");
    if (s->failures > 0)
        return;
    if (s->settings->upstream < 0 && s->settings->upstream_count == 1)
        s->settings->upstream = 0;
    if (s->settings->upstream < 0 && !has(s, index, policy_hook_name(HOOK_REQUEST)))
        schema_complain(s,
                        "upstream: missing; say which of the upstreams is the default, or choose "
                        "one in a request hook");
    else if (!settings_check(s->settings, why, sizeof why))
        schema_complain(s, "%s", why);
}

bool config_read(lua_State *L, int index, const char *file, struct settings *settings,
                 struct buf *errors)
{
    struct schema s = {.L = L, .file = file, .settings = settings, .errors = errors};

    luaL_checkstack(L, 40, "too deep");
    if (!lua_istable(L, index)) {
        schema_complain(&s,
                        "must return a table, not %s: end it with return { listen = ..., "
                        "upstream = ... }",
                        lua_isnil(L, index) ? "nothing" : luaL_typename(L, index));
        return false;
    }
    config_read_table(&s, index, CONFIG_POLICY, settings);
    check_whole(&s, index);
    return s.failures == 0;
}
