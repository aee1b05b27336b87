/*
 * config_upstreams: reads where requests go: `upstreams`, each with its addresses, and `upstream`,
 * the default among them.
 */
#include "config_local.h"

#include "base/words.h"
#include "sequence.h"

#include <lauxlib.h>

static void add_address(struct schema *s, struct slice text)
{
    char why[CONFIG_WHY_MAX];

    if (!settings_add_address(s->settings, text, why, sizeof why))
        schema_complain(s, "%s", why);
}

static const char wanted_address[] = "an address such as \"127.0.0.1:9000\"";

void config_read_addresses(struct schema *s, int index)
{
    schema_each(s, index, false, wanted_address, add_address);
}

static struct settings_upstream *last_upstream(struct schema *s)
{
    return &s->settings->upstreams[s->settings->upstream_count - 1];
}

static const char *explain_timeout(struct slice key)
{
    const struct config_table *general = &config_tables[CONFIG_TIMEOUTS];

    for (size_t i = 0; i < general->count; i++)
        if (slice_equals(key, slice_of_string(general->rules[i].key)))
            return ": it cannot differ from upstream to upstream; set it in the policy's own "
                   "timeouts";
    return NULL;
}

void config_read_upstream_timeouts(struct schema *s, int index)
{
    s->explain = explain_timeout;
    config_read_table(s, index, CONFIG_UPSTREAM_TIMEOUTS, &last_upstream(s)->timeouts);
    s->explain = NULL;
}

void config_read_proxy_version(struct schema *s, int index)
{
    struct slice text = {NULL, 0};

    if (lua_type(s->L, index) == LUA_TSTRING)
        text = schema_text(s, index);
    if (slice_equals(text, SLICE("v1")))
        last_upstream(s)->proxy_protocol = PROXY_VERSION_1;
    else if (slice_equals(text, SLICE("v2")))
        last_upstream(s)->proxy_protocol = PROXY_VERSION_2;
    else
        schema_complain(s, "must be \"v1\" or \"v2\"");
}

/* An upstream is an address, a list of them, or a table with names. */
static void read_one_upstream(struct schema *s, int index, const char *name)
{
    char why[CONFIG_WHY_MAX];
    size_t before = s->failures;

    if (settings_add_upstream(s->settings, slice_of_string(name), why, sizeof why) < 0) {
        schema_complain(s, "%s", why);
        return;
    }
    if (lua_istable(s->L, index) && sequence_is_record(s->L, index))
        config_read_table(s, index, CONFIG_UPSTREAM, last_upstream(s));
    else
        config_read_addresses(s, index);
    if (s->failures == before && last_upstream(s)->count == 0)
        schema_complain(s, "has no address; give it %s", wanted_address);
}

void config_read_upstreams(struct schema *s, int index)
{
    if (!lua_istable(s->L, index)) {
        schema_complain(s, "must be a table from names to addresses, such as "
                           "{ app = \"127.0.0.1:9000\" }");
        return;
    }
    int count = schema_push_keys(s, index);
    int keys = lua_gettop(s->L);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(s->L, keys, i);
        const char *name = lua_tostring(s->L, -1);
        lua_pushvalue(s->L, -1);
        lua_rawget(s->L, index);
        size_t mark = schema_enter(s, name);
        read_one_upstream(s, lua_gettop(s->L), name);
        schema_leave(s, mark);
        lua_pop(s->L, 2);
    }
    lua_pop(s->L, 1);
}

static void complain_no_upstream(struct schema *s, struct slice name)
{
    const char *names[SETTINGS_UPSTREAMS];
    char hint[WORDS_HINT_MAX];

    for (size_t i = 0; i < s->settings->upstream_count; i++)
        names[i] = s->settings->upstreams[i].name;
    words_hint(hint, sizeof hint, name, names, s->settings->upstream_count);
    schema_complain(s,
                    "no upstream is named \"%.*s\", and it is no address, since it has no port%s",
                    SLICE_ARG(name), hint);
}

/* A name, or an address, which then is an upstream named by itself. */
void config_read_upstream(struct schema *s, int index)
{
    char why[CONFIG_WHY_MAX];

    if (lua_type(s->L, index) != LUA_TSTRING) {
        const char *several =
            "; several addresses stand in upstreams = { app = { ADDRESS, ADDRESS } }";
        schema_complain(s, "must be the name of an upstream or an address, not a %s%s",
                        luaL_typename(s->L, index), lua_istable(s->L, index) ? several : "");
        return;
    }
    struct slice text = schema_text(s, index);
    int found = settings_find_upstream(s->settings, text);
    if (found < 0 && slice_find(text, ':') == text.len) {
        complain_no_upstream(s, text);
        return;
    }
    if (found < 0 && text.len >= ADDR_TEXT_MAX) {
        schema_complain(s,
                        "an address of more than %d bytes needs a shorter name: "
                        "upstreams = { app = ADDRESS }",
                        ADDR_TEXT_MAX - 1);
        return;
    }
    if (found < 0) {
        found = settings_add_upstream(s->settings, text, why, sizeof why);
        if (found < 0 || !settings_add_address(s->settings, text, why, sizeof why))
            schema_complain(s, "%s", why);
    }
    s->settings->upstream = found;
}
