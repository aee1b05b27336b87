/*
 * offers: owns nothing. Promises that nothing is offered to an origin that a client has not offered
 * before, and that a table which may mean something else is no list.
 */
#include "offers.h"

#include "sequence.h"
#include "show.h"

#include <lauxlib.h>
#include <stdio.h>

static bool is_protocol(struct slice s)
{
    size_t slash = slice_find(s, '/');

    return slice_is_token(slice_of(s.at, slash)) &&
           (slash == s.len || slice_is_token(slice_skip(s, slash + 1)));
}

/* Adds the protocol at `index` if the client offered it; one it did not offer is no error. */
static bool read_protocol(lua_State *L, int index, const struct upgrade_offers *offered,
                          struct upgrade_offers *out)
{
    size_t len;

    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    const char *at = lua_tolstring(L, index, &len);
    struct slice protocol = slice_of(at, len);
    if (!is_protocol(protocol))
        return false;
    for (size_t i = 0; i < offered->count; i++)
        if (slice_equals_nocase(offered->protocol[i], protocol) &&
            !upgrade_offers_has(out, protocol))
            out->protocol[out->count++] = offered->protocol[i];
    return true;
}

bool offers_read(lua_State *L, int index, const struct upgrade_offers *offered,
                 struct upgrade_offers *out, char *why, size_t why_size)
{
    char wrong[SEQUENCE_WHY_MAX], text[SHOW_MAX];

    if (!lua_istable(L, index))
        return read_protocol(L, index, offered, out);
    int count = sequence_length(L, index, wrong);
    if (count < 0)
        snprintf(why, why_size,
                 "returned a list of protocols in which %s; an answer has status, headers and body "
                 "alone",
                 wrong);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        if (!read_protocol(L, -1, offered, out)) {
            snprintf(
                why, why_size,
                "returned a list of protocols in which place %d is %s; a protocol is text such "
                "as \"websocket\"",
                i, show_value(L, -1, text));
            return false;
        }
        lua_pop(L, 1);
    }
    return count >= 0;
}
