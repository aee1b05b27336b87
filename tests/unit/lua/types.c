/*
 * `interim types` says what is so: every data field, hook, field of req, res, t and e, and every
 * function of interim.* is in the annotations with its type, and nothing else is.
 */
#include "config.h"
#include "embedded.h"
#include "engine.h"
#include "handle.h"
#include "proxy/trouble.h"

#include <assert.h>
#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *types;

static char *copy(const char *text, size_t len)
{
    char *copied = strndup(text, len);
    assert(copied != NULL);
    return copied;
}

static char *module_text(const char *name)
{
    for (const struct embedded *m = embedded; m->name != NULL; m++)
        if (strcmp(m->name, name) == 0)
            return copy((const char *)m->text, m->len);
    fail_msg("no module %s", name);
    abort(); /* the line above does not come back, but does not say so */
}

/* The lines of a class, from its name on. The caller frees it. */
static char *class_text(const char *name)
{
    char begin[80];
    snprintf(begin, sizeof begin, "\n---@class (exact) interim.%s\n", name);
    const char *at = strstr(types, begin);
    if (at == NULL)
        fail_msg("no class interim.%s", name);
    at += strlen(begin) - 1;
    const char *end = strstr(at, "\n\n");
    assert_non_null(end);
    return copy(at, (size_t)(end + 1 - at));
}

/* The line of a field, without its name, in `line`. */
static void find_field(const char *class, const char *text, const char *key, char line[400])
{
    char begin[80];
    snprintf(begin, sizeof begin, "\n---@field %s", key);
    for (const char *at = strstr(text, begin); at != NULL; at = strstr(at + 1, begin)) {
        const char *rest = at + strlen(begin);
        rest += *rest == '?';
        if (*rest != ' ')
            continue;
        snprintf(line, 400, "%.*s", (int)strcspn(rest, "\n"), rest);
        return;
    }
    fail_msg("interim.%s has no field %s", class, key);
}

static size_t count_fields(const char *text)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "\n---@field ")) != NULL; at++)
        count++;
    return count;
}

static void holds(const char *line, const char *key, const char *part)
{
    if (strstr(line, part) == NULL)
        fail_msg("%s is not %s: %s", key, part, line);
}

static void check_kind(const struct schema_rule *rule, const char *line)
{
    static const char *const names[] = {
        [SCHEMA_SECONDS] = " interim.seconds",
        [SCHEMA_BYTES] = " interim.bytes",
        [SCHEMA_COUNT] = " integer",
        [SCHEMA_FLAG] = " boolean",
        [SCHEMA_CHOICE] = "|",
        [SCHEMA_CUSTOM] = " ",
        [SCHEMA_HOOK] = " fun(req: interim.request",
    };
    char quoted[64];
    holds(line, rule->key, names[rule->kind]);
    for (size_t i = 0; rule->kind == SCHEMA_CHOICE && rule->choices[i] != NULL; i++) {
        snprintf(quoted, sizeof quoted, "\"%s\"", rule->choices[i]);
        holds(line, rule->key, quoted);
    }
}

static void every_data_field_and_hook_has_its_type(void **state)
{
    (void)state;
    for (const struct config_table *table = config_tables; table->name != NULL; table++) {
        char *text = class_text(table->name);
        char line[400];
        for (size_t i = 0; i < table->count; i++) {
            find_field(table->name, text, table->rules[i].key, line);
            check_kind(&table->rules[i], line);
        }
        assert_int_equal(count_fields(text), table->count);
        free(text);
    }
}

static void every_field_of_what_hooks_are_given_is_there(void **state)
{
    static const struct {
        const char *name;
        const struct handle_class *class;
    } handles[] = {
        {"request", &request_class}, {"client", &client_class}, {"response", &response_class},
        {"trouble", &trouble_class}, {"result", &result_class},
    };
    (void)state;
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        char *text = class_text(handles[i].name);
        char line[400];
        size_t count = 0;
        for (const struct handle_field *f = handles[i].class->fields; f->name != NULL; f++) {
            find_field(handles[i].name, text, f->name, line);
            /* What may be set says so, and nothing else does. */
            if ((f->set != NULL) != (strstr(line, "ay be set") != NULL))
                fail_msg("interim.%s.%s: may it be set?", handles[i].name, f->name);
            count++;
        }
        assert_int_equal(count_fields(text), count);
        free(text);
    }
}

static void every_kind_of_trouble_is_there(void **state)
{
    char *text = class_text("trouble");
    char line[400], quoted[64];
    (void)state;
    find_field("trouble", text, "kind", line);
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        snprintf(quoted, sizeof quoted, "\"%s\"", trouble_kind((enum trouble)i));
        holds(line, "kind", quoted);
    }
    free(text);
}

/* Looks for all that is in the table on top; returns how many functions that is. */
static size_t check_functions(lua_State *L, const char *prefix)
{
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        char name[100], line[128];
        snprintf(name, sizeof name, "%s.%s", prefix, lua_tostring(L, -2));
        if (lua_istable(L, -1)) {
            count += check_functions(L, name);
        } else {
            bool function = lua_isfunction(L, -1);
            snprintf(line, sizeof line, function ? "\nfunction %s(" : "\n%s = ", name);
            if (strstr(types, line) == NULL)
                fail_msg("%s is not there", name);
            count += function;
        }
        lua_pop(L, 1);
    }
    return count;
}

static void every_function_of_interim_is_there(void **state)
{
    struct settings *settings = calloc(1, sizeof *settings);
    size_t written = 0;
    (void)state;
    settings_default(settings);
    struct engine *e = engine_open(settings);
    assert_non_null(e);
    lua_getfield(e->L, LUA_REGISTRYINDEX, "interim");
    size_t found = check_functions(e->L, "interim");
    for (const char *at = types; (at = strstr(at, "\nfunction interim.")) != NULL; at++)
        written++;
    assert_int_equal(written, found);
    engine_close(e);
    free(settings);
}

static void what_test_files_find_is_there(void **state)
{
    static const char begin[] = "\nfunction M.";
    char *test = module_text("interim.test");
    (void)state;
    for (const char *at = test; (at = strstr(at, begin)) != NULL; at++) {
        const char *name = at + strlen(begin);
        char line[80];
        snprintf(line, sizeof line, "\nfunction %.*s", (int)strcspn(name, "\n"), name);
        if (strncmp(name, "load(", 5) != 0 && strstr(types, line) == NULL)
            fail_msg("not there:%s", line);
    }
    free(test);
}

static void the_file_is_lua(void **state)
{
    lua_State *L = luaL_newstate();
    (void)state;
    assert_int_equal(luaL_loadstring(L, types), 0);
    assert_int_equal(lua_pcall(L, 0, 1, 0), 0);
    assert_true(lua_istable(L, -1));
    lua_close(L);
}

static int read_types(void **state)
{
    (void)state;
    types = module_text("interim.types");
    return 0;
}

static int free_types(void **state)
{
    (void)state;
    free(types);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_data_field_and_hook_has_its_type),
        cmocka_unit_test(every_field_of_what_hooks_are_given_is_there),
        cmocka_unit_test(every_kind_of_trouble_is_there),
        cmocka_unit_test(every_function_of_interim_is_there),
        cmocka_unit_test(what_test_files_find_is_there),
        cmocka_unit_test(the_file_is_lua),
    };
    return cmocka_run_group_tests(tests, read_types, free_types);
}
