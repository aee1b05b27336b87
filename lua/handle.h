/*
 * handle: how a script holds an exchange: `req`, `res`, `t`, `e` and the tables below them.
 *
 * A handle is a light userdata that encodes its kind and the exchange's id, so making one costs
 * nothing and it owns nothing. It is good only while a hook of that very exchange runs; at any
 * other time, and from any other exchange, using it is a Lua error. It never leads to memory by
 * itself.
 */
#ifndef INTERIM_LUA_HANDLE_H
#define INTERIM_LUA_HANDLE_H

#include "engine.h"

enum handle_kind {
    HANDLE_NONE, /* a light userdata of somebody else: json.null is one */
    HANDLE_REQUEST,
    HANDLE_REQUEST_HEADERS,
    HANDLE_CLIENT,
    HANDLE_RESPONSE,
    HANDLE_RESPONSE_HEADERS,
    HANDLE_TROUBLE,
    HANDLE_RESULT, /* the last that fits into three bits */
    HANDLE_COUNT
};

/* A field of a handle. `set` NULL: read-only. The new value is at index 3. */
struct handle_field {
    const char *name;
    void (*get)(lua_State *L, struct policy_view *view); /* pushes one value */
    void (*set)(lua_State *L, struct policy_view *view);
};

/* A kind of handle: what scripts call it, and its fields up to a NULL name; or its own access. */
struct handle_class {
    const char *name;
    unsigned hooks; /* bit 1u << HOOK_x: the hooks in which it means anything */
    const struct handle_field *fields;
    /* Instead of fields: with the key at index 2, the new value at 3. */
    int (*index)(lua_State *L, enum handle_kind kind, struct policy_view *view);
    int (*newindex)(lua_State *L, enum handle_kind kind, struct policy_view *view);
};

extern const struct handle_class request_class, request_headers_class, client_class, response_class,
    response_headers_class, trouble_class, result_class;

#define HANDLE_IN_ALL ((1u << HOOK_COUNT) - 1)

/* Makes handles work in a state. */
void handle_install(lua_State *L);

void handle_push(lua_State *L, enum handle_kind kind, const struct policy_view *view);

/* The view behind the handle at `index`, or an error. *kind is what it is. */
struct policy_view *handle_view(lua_State *L, int index, enum handle_kind *kind);

/* What a script calls the value at `index`: "req", "interim.json.null", or its type. */
const char *handle_name(lua_State *L, int index);

/* An error unless this hook runs: `what` can be changed in that hook only. */
void handle_require_hook(lua_State *L, enum policy_hook hook, const char *what);

/* For get: pushes text; NULL or "" is nil with `handle_push_text`. */
void handle_push_slice(lua_State *L, struct slice s);
void handle_push_text(lua_State *L, const char *text);

#endif
