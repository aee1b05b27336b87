/*
 * sequence: walks a table. Promises that a list is read whole or not at all, and that of several
 * wrong keys always the same one is told, whatever order Lua has them in.
 */
#include "sequence.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define LONGEST 1e9

/* Of the keys that are no places, the least of each kind. */
struct wrong {
    const char *name; /* Lua's, for as long as the table has it; NULL: none */
    const char *type; /* of one that is neither text nor number; NULL: none */
    double number;
    bool has_number;
};

static int absolute(lua_State *L, int index)
{
    return index > 0 ? index : lua_gettop(L) + index + 1;
}

/* The key is on top, here and below. */
static bool is_place(lua_State *L, double *place)
{
    *place = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    return *place >= 1 && *place <= LONGEST && *place == (double)(int)*place;
}

static const char *least(const char *a, const char *b)
{
    return a == NULL || strcmp(b, a) < 0 ? b : a;
}

static void note_wrong(lua_State *L, struct wrong *w)
{
    if (lua_type(L, -1) == LUA_TSTRING) {
        w->name = least(w->name, lua_tostring(L, -1));
    } else if (lua_type(L, -1) != LUA_TNUMBER) {
        w->type = least(w->type, luaL_typename(L, -1));
    } else if (!w->has_number || lua_tonumber(L, -1) < w->number) {
        w->number = lua_tonumber(L, -1);
        w->has_number = true;
    }
}

/* True if there is something to tell. */
static bool tell_wrong(const struct wrong *w, char why[SEQUENCE_WHY_MAX])
{
    if (w->name != NULL)
        snprintf(why, SEQUENCE_WHY_MAX, "the key \"%.40s\" is no place", w->name);
    else if (w->has_number)
        snprintf(why, SEQUENCE_WHY_MAX, "the key %.14g is no place", w->number);
    else if (w->type != NULL)
        snprintf(why, SEQUENCE_WHY_MAX, "a key of type %s is no place", w->type);
    return w->name != NULL || w->has_number || w->type != NULL;
}

static int find_hole(lua_State *L, int index)
{
    for (int place = 1;; place++) {
        lua_rawgeti(L, index, place);
        bool empty = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (empty)
            return place;
    }
}

int sequence_length(lua_State *L, int index, char why[SEQUENCE_WHY_MAX])
{
    struct wrong wrong = {0};
    int table = absolute(L, index), count = 0;
    double place, last = 0;

    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        if (!is_place(L, &place)) {
            note_wrong(L, &wrong);
            continue;
        }
        last = place > last ? place : last;
        count++;
    }
    if (tell_wrong(&wrong, why))
        return -1;
    /* So many different places, none beyond the last: all of them, if they are as many. */
    if (last == (double)count)
        return count;
    snprintf(why, SEQUENCE_WHY_MAX, "place %d is empty", find_hole(L, table));
    return -1;
}

bool sequence_is_record(lua_State *L, int index)
{
    int table = absolute(L, index);
    bool named = false;

    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        named = lua_type(L, -1) == LUA_TSTRING;
        if (!named) {
            lua_pop(L, 1);
            break;
        }
    }
    return named;
}
