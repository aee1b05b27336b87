/*
 * Owns the small functions of the `interim` table: log, clocks, address matching.
 * Promises that whatever a script logs is one line, and that matching never asks a resolver.
 * Next on the way: text.c, json.c, digest.c, url.c, cookie.c and date.c add the rest.
 */
#include "library.h"

#include "base/log.h"
#include "base/sys.h"
#include "budget.h"
#include "cookie.h"
#include "date.h"
#include "digest.h"
#include "engine.h"
#include "json.h"
#include "net/addr.h"
#include "sequence.h"
#include "text.h"
#include "url.h"

#include <lauxlib.h>
#include <string.h>

#define STEPS_PER_NETWORK 32

#define LINE_BYTES 4096 /* more than the log takes: it says that it has cut something off */

void library_log(lua_State *L, enum log_level level, struct slice text)
{
    static const char nul[] = "\\x00"; /* as the log writes all other bytes of its kind */
    char line[LINE_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < text.len && n + sizeof nul < sizeof line; i++) {
        if (text.at[i] != '\0') {
            line[n++] = text.at[i];
            continue;
        }
        memcpy(line + n, nul, sizeof nul - 1);
        n += sizeof nul - 1;
    }
    line[n] = '\0';
    log_line(level, "%s: %s", engine_where(L), line);
}

/* The value at `index` as one piece of text: nil and booleans too, since they are what one logs. */
static struct slice check_loggable(lua_State *L, int index)
{
    size_t len;

    if (lua_isnoneornil(L, index))
        return SLICE("nil");
    if (lua_isboolean(L, index))
        return lua_toboolean(L, index) ? SLICE("true") : SLICE("false");
    const char *at = luaL_checklstring(L, index, &len);
    return slice_of(at, len);
}

/* interim.log([level,] text): more would be lost in silence. */
static int write_log(lua_State *L)
{
    static const char *const names[] = {"debug", "info", "warning", "error", NULL};
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR};
    enum log_level level = LOG_INFO;
    int text = 1;
    if (lua_gettop(L) > 2)
        return luaL_error(L,
                          "interim.log takes a level and one text, not %d arguments: join texts "
                          "with .., and put a call that gives several values, as gsub does, in "
                          "parentheses",
                          lua_gettop(L));
    if (lua_gettop(L) == 2) {
        level = levels[luaL_checkoption(L, 1, NULL, names)];
        text = 2;
    }
    struct slice line = check_loggable(L, text);
    budget_spend(L, (unsigned)line.len + 256); /* a line is a system call */
    library_log(L, level, line);
    return 0;
}

static int get_now(lua_State *L)
{
    lua_pushnumber(L, sys_realtime() + engine_of(L)->skipped);
    return 1;
}

static int get_monotonic(lua_State *L)
{
    lua_pushnumber(L, sys_monotonic() + engine_of(L)->skipped);
    return 1;
}

/* A host without port, as req.client.address gives it: "" is a unix peer, a zone is left out. */
static bool read_address(lua_State *L, int index, struct addr *out)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);
    struct slice text = slice_of(at, len);
    struct addr_net one;
    char why[256];
    if (slice_is_empty(text))
        text = SLICE("unix:");
    if (slice_find(text, '/') < text.len)
        return false;
    if (!addr_net_parse(slice_of(text.at, slice_find(text, '%')), &one, why, sizeof(why)))
        return false;
    *out = one.addr;
    return true;
}

/* The network at `index`, which a wrong one makes an error about argument 2. */
static bool network_has(lua_State *L, int index, const struct addr *a)
{
    size_t len;
    const char *at = lua_tolstring(L, index, &len);
    struct addr_net net;
    char why[256];
    budget_spend(L, STEPS_PER_NETWORK);
    luaL_argcheck(L, at != NULL, 2, "expected a network or a list of networks, as strings");
    if (!addr_net_parse(slice_of(at, len), &net, why, sizeof(why)))
        luaL_argerror(L, 2, why);
    return addr_net_has(&net, a);
}

/* interim.ip.match(address, networks): nil when `address` is none. Every network is checked. */
static int match_address(lua_State *L)
{
    struct addr address = {0};
    bool valid = read_address(L, 1, &address);
    bool found = false;
    if (lua_istable(L, 2)) {
        char hole[SEQUENCE_WHY_MAX];
        int count = sequence_length(L, 2, hole);
        budget_check(L);
        if (count < 0)
            luaL_argerror(L, 2, lua_pushfstring(L, "in the list of networks %s", hole));
        for (int i = 1; i <= count; i++) {
            lua_rawgeti(L, 2, i);
            found = network_has(L, -1, &address) || found;
            lua_pop(L, 1);
        }
    } else {
        found = network_has(L, 2, &address);
    }
    if (valid)
        lua_pushboolean(L, found);
    else
        lua_pushnil(L);
    return 1;
}

static void install_functions(lua_State *L)
{
    lua_pushcfunction(L, write_log);
    lua_setfield(L, -2, "log");
    lua_pushcfunction(L, get_now);
    lua_setfield(L, -2, "now");
    lua_pushcfunction(L, get_monotonic);
    lua_setfield(L, -2, "monotonic");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, match_address);
    lua_setfield(L, -2, "match");
    lua_setfield(L, -2, "ip");
}

void library_install(lua_State *L)
{
    install_functions(L);
    text_install(L);
    json_install(L);
    digest_install(L);
    url_install(L);
    cookie_install(L);
    date_install(L);
}
