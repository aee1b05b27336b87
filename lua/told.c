/*
 * told: owns nothing; reads one table into what a trial's view shows its hooks.
 */
#include "told.h"

#define CODE_UNTOLD 103 /* of an interim response that was only counted */

static const char *get_text(lua_State *L, struct trial *t, const char *key)
{
    lua_getfield(L, 2, key);
    const char *text = lua_tostring(L, -1);
    const char *copy = text != NULL ? arena_string(&t->arena, slice_of_string(text)) : NULL;
    lua_pop(L, 1);
    return copy != NULL ? copy : "";
}

static double get_number(lua_State *L, const char *key)
{
    lua_getfield(L, 2, key);
    double number = lua_tonumber(L, -1); /* nil is 0 */
    lua_pop(L, 1);
    return number;
}

void told_trouble(lua_State *L, struct trial *t)
{
    t->trouble = (struct policy_trouble){
        .kind = get_text(L, t, "kind"),
        .status = (int)get_number(L, "status"),
        .after = get_number(L, "after"),
        .elapsed = get_number(L, "elapsed"),
        .upstream = get_text(L, t, "upstream"),
        .address = get_text(L, t, "address"),
        .detail = get_text(L, t, "detail"),
        .interims = (size_t)get_number(L, "interims"),
        .last_interim = (int)get_number(L, "last_interim"),
        .bytes_sent = (uint64_t)get_number(L, "bytes_sent"),
    };
    t->view.trouble = &t->trouble;
}

/* How many interim responses there were. */
static size_t get_interims(lua_State *L, struct trial *t)
{
    size_t count = (size_t)get_number(L, "interim_count");

    lua_getfield(L, 2, "interims");
    size_t told = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    for (size_t i = 0; i < POLICY_INTERIM_CODES; i++) {
        t->codes[i] = CODE_UNTOLD;
        if (i >= told)
            continue;
        lua_rawgeti(L, -1, (int)i + 1);
        t->codes[i] = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return count > told ? count : told;
}

void told_result(lua_State *L, struct trial *t)
{
    lua_getfield(L, 2, "reused");
    bool reused = lua_toboolean(L, -1);
    lua_pop(L, 1);
    t->result = (struct policy_result){
        .status = (int)get_number(L, "status"),
        .outcome = get_text(L, t, "outcome"),
        .error = get_text(L, t, "error"),
        .upstream = get_text(L, t, "upstream"),
        .address = get_text(L, t, "address"),
        .expect = get_text(L, t, "expect"),
        .upgrade = get_text(L, t, "upgrade"),
        .interims = t->codes,
        .interim_count = get_interims(L, t),
        .bytes_in = (uint64_t)get_number(L, "bytes_in"),
        .bytes_out = (uint64_t)get_number(L, "bytes_out"),
        .tunnel_in = (uint64_t)get_number(L, "tunnel_in"),
        .tunnel_out = (uint64_t)get_number(L, "tunnel_out"),
        .elapsed = get_number(L, "elapsed"),
        .connect = get_number(L, "connect"),
        .first_byte = get_number(L, "first_byte"),
        .reused = reused,
    };
    t->view.result = &t->result;
}
