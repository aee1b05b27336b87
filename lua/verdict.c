/*
 * verdict: reads a hook's answer. Promises that nothing a script returned reaches the core
 * unchecked, and that every refusal lists what would have been right.
 */
#include "verdict.h"
#include "base/words.h"
#include "handle.h"
#include "offers.h"
#include "sequence.h"
#include "show.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 128

/* One reading: the answer's parts as they are found, and where a refusal goes. */
struct reading {
    lua_State *L;
    struct policy_call *call;
    struct field
        *fields; /* FIELDS_MAX and a Content-Type: in read_answer, as most answers have none */
    size_t count;
    size_t lists; /* of values, empty ones included: to look at one takes time */
    size_t bytes; /* that they take on the wire */
    bool typed;   /* a Content-Type is among them */
    char *why;
    size_t why_size;
};

static const char *const allowed[HOOK_COUNT] = {
    [HOOK_REQUEST] = "nil",
    [HOOK_EXPECT] = "nil, \"forward\", \"continue\"",
    [HOOK_UPGRADE] = "nil, a protocol, a list of protocols, true, false",
    [HOOK_TIMEOUT] = "nil",
    [HOOK_ERROR] = "nil",
    [HOOK_RESPONSE] = "nil",
    [HOOK_LOG] = "nil",
};

static bool refuse(const struct reading *r, int index)
{
    enum policy_hook hook = r->call->hook;
    char text[SHOW_MAX];

    snprintf(r->why, r->why_size, "returned %s; it may return %s%s", show_value(r->L, index, text),
             allowed[hook],
             hook == HOOK_LOG ? " only"
                              : ", a status from 200 to 599, or { status =, headers =, "
                                "body = }");
    return false;
}

static bool read_status(const struct reading *r, int index)
{
    double number = lua_type(r->L, index) == LUA_TNUMBER ? lua_tonumber(r->L, index) : 0;

    if (!(number >= 200 && number <= 599) || number != (double)(int)number)
        return false;
    r->call->verdict.kind = VERDICT_ANSWER;
    r->call->verdict.status = (int)number;
    return true;
}

static bool has_room(const struct reading *r, size_t fields)
{
    const struct limits *limits = &r->call->view->settings->limits;

    if (fields < FIELDS_MAX && fields < limits->fields && r->bytes <= limits->head)
        return true;
    snprintf(
        r->why, r->why_size,
        "answer: more header fields than limits.fields (%d here at most) and limits.head allow",
        FIELDS_MAX);
    return false;
}

static bool read_value(struct reading *r, struct slice name)
{
    size_t len;

    if (lua_type(r->L, -1) != LUA_TSTRING && lua_type(r->L, -1) != LUA_TNUMBER) {
        snprintf(r->why, r->why_size, "answer: headers[\"%.*s\"] must be text or a list of texts",
                 SLICE_ARG(name));
        return false;
    }
    const char *at = lua_tolstring(r->L, -1, &len);
    struct slice value = slice_trim(slice_of(at, len));
    if (!lint_is_value(value)) {
        snprintf(r->why, r->why_size,
                 "answer: headers[\"%.*s\"] holds a control byte (CR, LF, NUL)", SLICE_ARG(name));
        return false;
    }
    r->bytes += name.len + value.len + sizeof ": \r\n" - 1;
    if (!has_room(r, r->count))
        return false;
    struct field *f = &r->fields[r->count++];
    f->id = field_id_of(name);
    f->name = arena_copy(r->call->view->arena, name);
    f->value = value.len > 0 ? arena_copy(r->call->view->arena, value) : SLICE("");
    r->typed = r->typed || slice_equals_nocase(name, SLICE("content-type"));
    if (f->name.at == NULL || f->value.at == NULL) {
        snprintf(r->why, r->why_size, "answer: more header bytes than an exchange may hold");
        return false;
    }
    return true;
}

/* The name is at -2, the value or list of values at -1. */
static bool read_field(struct reading *r)
{
    size_t len;

    if (lua_type(r->L, -2) != LUA_TSTRING) {
        snprintf(r->why, r->why_size, "answer: headers must be a table from names to values");
        return false;
    }
    const char *at = lua_tolstring(r->L, -2, &len);
    struct slice name = slice_of(at, len);
    if (!slice_is_token(name)) {
        snprintf(r->why, r->why_size, "answer: headers: \"%.*s\" is not a field name",
                 SLICE_ARG(name));
        return false;
    }
    if (field_is_framing(field_id_of(name))) {
        snprintf(r->why, r->why_size, "answer: headers: \"%.*s\" is written by the proxy alone",
                 SLICE_ARG(name));
        return false;
    }
    if (lua_type(r->L, -1) != LUA_TTABLE)
        return read_value(r, name);
    char hole[SEQUENCE_WHY_MAX];
    if (!has_room(r, r->lists++))
        return false;
    int values = sequence_length(r->L, -1, hole);
    if (values < 0) {
        snprintf(r->why, r->why_size, "answer: in the list headers[\"%.*s\"] %s", SLICE_ARG(name),
                 hole);
        return false;
    }
    for (int i = 1; i <= values; i++) {
        lua_rawgeti(r->L, -1, i);
        bool ok = read_value(r, name);
        lua_pop(r->L, 1);
        if (!ok)
            return false;
    }
    return true;
}

static bool comes_after(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order > 0 || (order == 0 && a.len > b.len);
}

/* A table's order is Lua's own and differs from run to run; by name, an answer is always the same
 * bytes. Values of one name keep their order. */
static void sort_fields(struct field *fields, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct field moved = fields[i];
        size_t j = i;
        for (; j > 0 && comes_after(fields[j - 1].name, moved.name); j--)
            fields[j] = fields[j - 1];
        fields[j] = moved;
    }
}

static bool read_headers(struct reading *r)
{
    if (lua_isnil(r->L, -1))
        return true;
    if (lua_type(r->L, -1) != LUA_TTABLE) {
        snprintf(r->why, r->why_size, "answer: headers must be a table, not %s",
                 handle_name(r->L, -1));
        return false;
    }
    lua_pushnil(r->L);
    while (lua_next(r->L, -2) != 0) {
        if (!read_field(r))
            return false;
        lua_pop(r->L, 1);
    }
    return true;
}

static bool keep_fields(struct reading *r)
{
    struct verdict *v = &r->call->verdict;

    if (v->has_body && !policy_answer_is_bodiless(v->status) && !r->typed)
        r->fields[r->count++] = (struct field){.name = SLICE("content-type"),
                                               .value = SLICE("text/plain; charset=utf-8")};
    if (r->count == 0)
        return true;
    sort_fields(r->fields, r->count);
    v->fields = arena_alloc(r->call->view->arena, r->count * sizeof r->fields[0]);
    if (v->fields == NULL) {
        snprintf(r->why, r->why_size, "answer: more header bytes than an exchange may hold");
        return false;
    }
    memcpy(v->fields, r->fields, r->count * sizeof r->fields[0]);
    v->field_count = r->count;
    return true;
}

static bool read_body(struct reading *r)
{
    struct verdict *v = &r->call->verdict;
    size_t len;

    if (lua_isnil(r->L, -1))
        return true;
    if (lua_type(r->L, -1) != LUA_TSTRING) {
        snprintf(r->why, r->why_size, "answer: body must be text, not %s", handle_name(r->L, -1));
        return false;
    }
    const char *at = lua_tolstring(r->L, -1, &len);
    if (len > POLICY_BODY_MAX) {
        snprintf(r->why, r->why_size, "answer: a body of %zu bytes is over %u MiB", len,
                 POLICY_BODY_MAX >> 20);
        return false;
    }
    v->has_body = true;
    v->body = len > 0 ? arena_copy(r->call->view->arena, slice_of(at, len)) : SLICE("");
    if (v->body.at == NULL) {
        snprintf(r->why, r->why_size,
                 "answer: a body of %zu bytes is more than an exchange may "
                 "hold",
                 len);
        return false;
    }
    return true;
}

static bool check_answer_keys(const struct reading *r, int index)
{
    static const char *const known[] = {"status", "headers", "body"};
    char hint[WORDS_HINT_MAX], text[SHOW_MAX];
    size_t len;

    lua_pushnil(r->L);
    while (lua_next(r->L, index) != 0) {
        lua_pop(r->L, 1);
        const char *key = lua_type(r->L, -1) == LUA_TSTRING ? lua_tolstring(r->L, -1, &len) : "";
        if (strcmp(key, known[0]) == 0 || strcmp(key, known[1]) == 0 || strcmp(key, known[2]) == 0)
            continue;
        snprintf(r->why, r->why_size, "answer: unknown key %s%s; there are status, headers, body",
                 show_value(r->L, -1, text),
                 words_hint(hint, sizeof hint, slice_of_string(key), known, 3));
        return false;
    }
    return true;
}

static void get_raw(lua_State *L, int index, const char *key)
{
    lua_pushstring(L, key);
    lua_rawget(L, index);
}

static bool read_parts(struct reading *r, int index)
{
    if (!check_answer_keys(r, index))
        return false;
    get_raw(r->L, index, "status");
    if (!read_status(r, -1)) {
        char text[SHOW_MAX];
        snprintf(r->why, r->why_size,
                 "answer: status must be a whole number from 200 to 599, "
                 "not %s",
                 show_value(r->L, -1, text));
        return false;
    }
    get_raw(r->L, index, "headers");
    if (!read_headers(r))
        return false;
    get_raw(r->L, index, "body");
    return read_body(r) && keep_fields(r);
}

static bool read_answer(struct reading *r, int index)
{
    struct field fields[FIELDS_MAX + 1];

    r->fields = fields;
    bool good = read_parts(r, index);
    r->fields = NULL;
    return good;
}

static bool read_upgrade(struct reading *r, int index)
{
    struct verdict *v = &r->call->verdict;
    int type = lua_type(r->L, index);

    if (type == LUA_TBOOLEAN) {
        v->kind = lua_toboolean(r->L, index) ? VERDICT_OFFER : VERDICT_ORDINARY;
        if (v->kind == VERDICT_OFFER)
            v->offers = r->call->view->request->offers;
        return true;
    }
    if (!offers_read(r->L, index, &r->call->view->request->offers, &v->offers, r->why, r->why_size))
        return type == LUA_TTABLE ? false : refuse(r, index);
    v->kind = v->offers.count > 0 ? VERDICT_OFFER : VERDICT_ORDINARY;
    return true;
}

static bool read_word(struct reading *r, int index)
{
    size_t len;
    const char *at = lua_tolstring(r->L, index, &len);
    struct slice word = slice_of(at, len);

    if (r->call->hook == HOOK_UPGRADE)
        return read_upgrade(r, index);
    if (r->call->hook == HOOK_EXPECT && slice_equals(word, SLICE("forward")))
        r->call->verdict.kind = VERDICT_FORWARD;
    else if (r->call->hook == HOOK_EXPECT && slice_equals(word, SLICE("continue")))
        r->call->verdict.kind = VERDICT_CONTINUE;
    else
        return refuse(r, index);
    return true;
}

/* Not what has the keys of an answer, nor what might inherit them: that is none, and fails. */
static bool is_offer(lua_State *L, int index)
{
    bool inherits = lua_getmetatable(L, index) != 0;

    if (inherits)
        lua_pop(L, 1);
    return !sequence_is_record(L, index) && (!inherits || lua_objlen(L, index) > 0);
}

bool verdict_read(lua_State *L, int index, struct policy_call *call, char *why, size_t why_size)
{
    struct reading r;
    bool upgrade = call->hook == HOOK_UPGRADE;

    r.L = L;
    r.call = call;
    r.count = 0;
    r.lists = 0;
    r.bytes = 0;
    r.typed = false;
    r.why = why;
    r.why_size = why_size;
    if (lua_isnil(L, index))
        return true;
    if (call->hook == HOOK_LOG)
        return refuse(&r, index);
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        return read_status(&r, index) || refuse(&r, index);
    case LUA_TSTRING:
        return read_word(&r, index);
    case LUA_TBOOLEAN:
        return upgrade ? read_upgrade(&r, index) : refuse(&r, index);
    case LUA_TTABLE:
        if (upgrade && is_offer(L, index))
            return read_upgrade(&r, index);
        return read_answer(&r, index);
    default:
        return refuse(&r, index);
    }
}
