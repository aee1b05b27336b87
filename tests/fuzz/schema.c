/*
 * fuzz schema: any Lua expression as what a policy file returns.
 *
 * Must hold: its data fields are either taken, and then without a word, or refused with at least
 * one error, and each error is one line without control bytes that begins with the name of the
 * file. What is taken has no key that there is not, and no text with a NUL, which means less to C
 * than to Lua. The expression runs without any library, for a bounded number of instructions and in
 * bounded memory; no name is looked up on a network.
 */
#include "config.h"

#include <assert.h>
#include <lauxlib.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_NAME    "policy.lua"
#define ERRORS_MAX   (4 << 20)
#define MEMORY_MAX   (8 << 20)
#define INSTRUCTIONS 10000

/* The linker puts it in the place of the library's: any name that is no address is unknown. */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, found);
}

static void *allocate(void *used, void *p, size_t old, size_t size)
{
    size_t *sum = used;
    if (size > old && size - old > MEMORY_MAX - *sum)
        return NULL;
    void *block = NULL;
    if (size == 0)
        free(p);
    else if ((block = realloc(p, size)) == NULL)
        return NULL;
    *sum += size - old;
    return block;
}

static void stop(lua_State *L, lua_Debug *where)
{
    (void)where;
    luaL_error(L, "too many instructions");
}

struct reading {
    struct settings settings;
    struct buf errors;
    bool taken;
    bool done; /* memory was enough */
};

static bool is_key_of(const struct config_table *table, lua_State *L, int index)
{
    size_t len;
    const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
    for (size_t i = 0; key != NULL && i < table->count; i++)
        if (slice_equals(slice_of(key, len), slice_of_string(table->rules[i].key)))
            return true;
    return false;
}

static bool has_nul(lua_State *L, int index)
{
    size_t len;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
    return text != NULL && memchr(text, '\0', len) != NULL;
}

/* Of the table at the top, of tables in it, and of those in them; deeper, none is looked at. */
static void check_texts(lua_State *L, int depth)
{
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        assert(!has_nul(L, -1) && !has_nul(L, -2));
        if (lua_istable(L, -1) && depth > 0)
            check_texts(L, depth - 1);
    }
}

static int read_settings(lua_State *L)
{
    struct reading *r = lua_touserdata(L, lua_upvalueindex(1));
    r->taken = config_read(L, 1, FILE_NAME, &r->settings, &r->errors);
    r->done = true;
    for (lua_pushnil(L); r->taken && lua_next(L, 1) != 0; lua_pop(L, 1))
        assert(is_key_of(&config_tables[0], L, -2));
    if (r->taken)
        check_texts(L, 2);
    return 0;
}

/* Leaves what the expression comes to on the stack; false if it comes to nothing. */
static bool evaluate(lua_State *L, const uint8_t *bytes, size_t size)
{
    lua_pushliteral(L, "return ");
    lua_pushlstring(L, (const char *)bytes, size);
    lua_concat(L, 2);
    size_t len;
    const char *source = lua_tolstring(L, -1, &len);
    lua_sethook(L, stop, LUA_MASKCOUNT, INSTRUCTIONS);
    bool good = luaL_loadbuffer(L, source, len, FILE_NAME) == 0 && lua_pcall(L, 0, 1, 0) == 0;
    lua_sethook(L, NULL, 0, 0);
    return good;
}

static size_t count_lines(struct slice errors)
{
    size_t lines = 0;
    for (; errors.len > 0; lines++) {
        size_t end = slice_find(errors, '\n');
        assert(end < errors.len && slice_starts(errors, SLICE(FILE_NAME ": ")));
        for (size_t i = 0; i < end; i++)
            assert((unsigned char)errors.at[i] >= ' ' && errors.at[i] != 0x7f);
        errors = slice_skip(errors, end + 1);
    }
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct reading r;
    size_t used = 0;
    lua_State *L = lua_newstate(allocate, &used);
    assert(L != NULL);
    r.done = false;
    settings_default(&r.settings);
    buf_init(&r.errors, ERRORS_MAX);
    lua_pushlightuserdata(L, &r);
    lua_pushcclosure(L, read_settings, 1);
    if (evaluate(L, bytes, size)) {
        lua_remove(L, -2);
        lua_pcall(L, 1, 0, 0);
    }
    size_t lines = count_lines(buf_slice(&r.errors));
    if (r.done)
        assert(r.taken == (lines == 0));
    buf_free(&r.errors);
    lua_close(L);
    return 0;
}
