/*
 * schema: the reader of tables. Promises that each error names the key's full path and says what
 * would be right, and that no key of the table is passed over in silence.
 */
#include "schema.h"
#include "base/words.h"
#include "sequence.h"
#include "show.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KNOWN_MAX 64
#define NAMES_MAX 1000 /* that are sorted, which takes their square */

void schema_complain(struct schema *s, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    words_put_on_one_line(text);
    s->failures++;
    buf_printf(s->errors, "%s: %s%s%s\n", s->file, s->path, s->path[0] != '\0' ? ": " : "", text);
}

size_t schema_enter(struct schema *s, const char *key)
{
    size_t mark = strlen(s->path);

    snprintf(s->path + mark, sizeof s->path - mark, "%s%s", mark > 0 ? "." : "", key);
    words_put_on_one_line(s->path + mark);
    return mark;
}

size_t schema_enter_item(struct schema *s, int item)
{
    size_t mark = strlen(s->path);

    snprintf(s->path + mark, sizeof s->path - mark, "[%d]", item);
    return mark;
}

void schema_leave(struct schema *s, size_t mark)
{
    s->path[mark] = '\0';
}

struct slice schema_text(const struct schema *s, int index)
{
    size_t len;
    const char *at = lua_tolstring(s->L, index, &len);

    return slice_of(at, len);
}

static int compare_keys(lua_State *L, int a, int b)
{
    lua_rawgeti(L, -1, a);
    lua_rawgeti(L, -2, b);
    int order = strcmp(lua_tostring(L, -2), lua_tostring(L, -1));
    lua_pop(L, 2);
    return order;
}

static void swap_keys(lua_State *L, int a, int b)
{
    lua_rawgeti(L, -1, a);
    lua_rawgeti(L, -2, b);
    lua_rawseti(L, -3, a);
    lua_rawseti(L, -2, b);
}

/* Adds the names to the list on top, in Lua's order, and counts them. Of the keys that are none,
 * one of each kind is told: a list that stands where names should has thousands. */
static int gather_keys(struct schema *s, int index)
{
    lua_State *L = s->L;
    const char *type = NULL;
    bool numbered = false;
    double least = 0;
    int count = 0;

    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, -3, ++count);
        } else if (lua_type(L, -1) == LUA_TNUMBER) {
            double number = lua_tonumber(L, -1);
            least = numbered && least < number ? least : number;
            numbered = true;
        } else {
            type = luaL_typename(L, -1);
        }
    }
    if (numbered)
        schema_complain(s, "the key [%g] is not a name; this is a table of named fields", least);
    if (type != NULL)
        schema_complain(s, "a key of type %s; this is a table of named fields", type);
    return count;
}

int schema_push_keys(struct schema *s, int index)
{
    lua_newtable(s->L);
    int count = gather_keys(s, index);
    if (count > NAMES_MAX) {
        schema_complain(s, "%d names are more than any table of a policy has", count);
        return 0;
    }
    for (int i = 2; i <= count; i++)
        for (int j = i; j > 1 && compare_keys(s->L, j - 1, j) > 0; j--)
            swap_keys(s->L, j - 1, j);
    return count;
}

static bool get_number(const struct schema *s, int index, enum schema_kind kind, double *value)
{
    if (lua_type(s->L, index) == LUA_TNUMBER) {
        *value = lua_tonumber(s->L, index);
        return true;
    }
    if (lua_type(s->L, index) != LUA_TSTRING || kind == SCHEMA_COUNT)
        return false;
    struct slice text = schema_text(s, index);
    return kind == SCHEMA_SECONDS ? words_to_seconds(text, value) : words_to_bytes(text, value);
}

static const char *const number_forms[] = {
    [SCHEMA_SECONDS] = "a number of seconds, or a text such as \"250ms\", \"100s\", \"5m\", \"1h\"",
    [SCHEMA_BYTES] = "a number of bytes, or a text such as \"64k\", \"50m\", \"1g\"",
    [SCHEMA_COUNT] = "a whole number",
};

static void read_number(struct schema *s, int index, const struct schema_rule *rule, char *member)
{
    double value = 0;
    char text[SHOW_MAX];

    show_value(s->L, index, text);
    if (!get_number(s, index, rule->kind, &value)) {
        schema_complain(s, "must be %s, not %s", number_forms[rule->kind], text);
        return;
    }
    if (!(value >= rule->least && value <= rule->most)) {
        schema_complain(s, "must be between %.14g and %.14g%s, not %s", rule->least, rule->most,
                        rule->kind == SCHEMA_SECONDS ? " seconds"
                        : rule->kind == SCHEMA_BYTES ? " bytes"
                                                     : "",
                        text);
        return;
    }
    if (rule->kind == SCHEMA_SECONDS) {
        memcpy(member, &value, sizeof value);
        return;
    }
    size_t whole = (size_t)value;
    if (rule->kind == SCHEMA_COUNT && (double)whole != value) {
        schema_complain(s, "must be a whole number, not %s", text);
        return;
    }
    memcpy(member, &whole, sizeof whole);
}

static void read_choice(struct schema *s, int index, const struct schema_rule *rule, char *member)
{
    char listed[200] = "", text[SHOW_MAX];
    size_t used = 0;

    for (int i = 0; rule->choices[i] != NULL; i++) {
        if (lua_type(s->L, index) == LUA_TSTRING &&
            slice_equals(schema_text(s, index), slice_of_string(rule->choices[i]))) {
            memcpy(member, &i, sizeof i);
            return;
        }
        int n = snprintf(listed + used, sizeof listed - used, "%s\"%s\"", i > 0 ? ", " : "",
                         rule->choices[i]);
        used += n > 0 ? (size_t)n : 0;
        assert(used < sizeof listed);
    }
    show_value(s->L, index, text);
    schema_complain(s, "must be one of %s, not %s", listed, text);
}

static void read_value(struct schema *s, int index, const struct schema_rule *rule, char *base)
{
    char text[SHOW_MAX];

    show_value(s->L, index, text);
    switch (rule->kind) {
    case SCHEMA_SECONDS:
    case SCHEMA_BYTES:
    case SCHEMA_COUNT:
        read_number(s, index, rule, base + rule->offset);
        break;
    case SCHEMA_FLAG:
        if (lua_isboolean(s->L, index)) {
            bool flag = lua_toboolean(s->L, index) != 0;
            memcpy(base + rule->offset, &flag, sizeof flag);
        } else {
            schema_complain(s, "must be true or false, not %s", text);
        }
        break;
    case SCHEMA_CHOICE:
        read_choice(s, index, rule, base + rule->offset);
        break;
    case SCHEMA_CUSTOM:
        rule->read(s, index);
        break;
    case SCHEMA_HOOK:
        if (!lua_isfunction(s->L, index))
            schema_complain(s, "must be a function, not %s", text);
        break;
    }
}

static bool is_known(struct slice key, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equals(key, slice_of_string(known[i])))
            return true;
    return false;
}

static void complain_unknown(struct schema *s, int index, const struct schema_rule *rules,
                             size_t count)
{
    const char *known[KNOWN_MAX];
    char hint[WORDS_HINT_MAX];
    int keys = schema_push_keys(s, index);

    assert(count <= KNOWN_MAX);
    for (size_t i = 0; i < count; i++)
        known[i] = rules[i].key;
    for (int i = 1; i <= keys; i++) {
        lua_rawgeti(s->L, -1, i);
        struct slice key = schema_text(s, -1);
        if (!is_known(key, known, count)) {
            size_t mark = schema_enter(s, key.at);
            const char *meant = s->explain != NULL ? s->explain(key) : NULL;
            schema_complain(s, "unknown key%s",
                            meant != NULL ? meant
                                          : words_hint(hint, sizeof hint, key, known, count));
            schema_leave(s, mark);
        }
        lua_pop(s->L, 1);
    }
    lua_pop(s->L, 1);
}

void schema_read(struct schema *s, int index, const struct schema_rule *rules, size_t count,
                 void *base)
{
    char text[SHOW_MAX];

    if (!lua_istable(s->L, index)) {
        show_value(s->L, index, text);
        schema_complain(s, "must be a table, not %s", text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(s->L, rules[i].key);
        lua_rawget(s->L, index);
        if (!lua_isnil(s->L, -1)) {
            size_t mark = schema_enter(s, rules[i].key);
            read_value(s, lua_gettop(s->L), &rules[i], base);
            schema_leave(s, mark);
        }
        lua_pop(s->L, 1);
    }
    complain_unknown(s, index, rules, count);
}

static void each_item(struct schema *s, int index, bool numbers, const char *wanted,
                      void (*read)(struct schema *s, struct slice text))
{
    char text[SHOW_MAX];
    int type = lua_type(s->L, index);

    if (type == LUA_TSTRING || (numbers && type == LUA_TNUMBER)) {
        lua_pushvalue(s->L, index); /* a number is made text in place: not in the policy's table */
        read(s, schema_text(s, -1));
        lua_pop(s->L, 1);
        return;
    }
    show_value(s->L, index, text);
    schema_complain(s, "must be %s, not %s", wanted, text);
}

void schema_each(struct schema *s, int index, bool numbers, const char *wanted,
                 void (*read)(struct schema *s, struct slice text))
{
    char why[SEQUENCE_WHY_MAX];

    if (!lua_istable(s->L, index)) {
        each_item(s, index, numbers, wanted, read);
        return;
    }
    int count = sequence_length(s->L, index, why);
    if (count < 0)
        schema_complain(s, "must be %s, or a list of them; in this one %s", wanted, why);
    for (int i = 1; i <= count; i++) {
        size_t mark = schema_enter_item(s, i);
        lua_rawgeti(s->L, index, i);
        each_item(s, lua_gettop(s->L), numbers, wanted, read);
        lua_pop(s->L, 1);
        schema_leave(s, mark);
    }
}
