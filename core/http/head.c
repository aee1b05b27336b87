/*
 * head: the fields of one message. Owns the field array, which lies in the exchange's arena; names
 * and values point into the bytes that were read until something is set. Promises that what it
 * holds was seen alike by two independent readers.
 *
 * Next on a request's way: http/framing, called by http/request.
 */
#include "http/head.h"

#include "http/parser.h"

#define ROOM_TO_SPARE 8 /* fields a policy may add before the array has to move */

_Static_assert(FIELD_COUNT <= 32, "head.kinds has a bit for each");

/* As they are commonly written, which compares fastest. */
static const struct slice field_names[FIELD_COUNT] = {
    [FIELD_ACCEPT] = SLICE_INIT("Accept"),
    [FIELD_AUTHORIZATION] = SLICE_INIT("Authorization"),
    [FIELD_CONNECTION] = SLICE_INIT("Connection"),
    [FIELD_CONTENT_LENGTH] = SLICE_INIT("Content-Length"),
    [FIELD_COOKIE] = SLICE_INIT("Cookie"),
    [FIELD_DATE] = SLICE_INIT("Date"),
    [FIELD_EXPECT] = SLICE_INIT("Expect"),
    [FIELD_FORWARDED] = SLICE_INIT("Forwarded"),
    [FIELD_HOST] = SLICE_INIT("Host"),
    [FIELD_HTTP2_SETTINGS] = SLICE_INIT("HTTP2-Settings"),
    [FIELD_KEEP_ALIVE] = SLICE_INIT("Keep-Alive"),
    [FIELD_MAX_FORWARDS] = SLICE_INIT("Max-Forwards"),
    [FIELD_PROXY_AUTHORIZATION] = SLICE_INIT("Proxy-Authorization"),
    [FIELD_PROXY_CONNECTION] = SLICE_INIT("Proxy-Connection"),
    [FIELD_SEC_WEBSOCKET_ACCEPT] = SLICE_INIT("Sec-WebSocket-Accept"),
    [FIELD_SEC_WEBSOCKET_KEY] = SLICE_INIT("Sec-WebSocket-Key"),
    [FIELD_SET_COOKIE] = SLICE_INIT("Set-Cookie"),
    [FIELD_TE] = SLICE_INIT("TE"),
    [FIELD_TRACEPARENT] = SLICE_INIT("traceparent"),
    [FIELD_TRAILER] = SLICE_INIT("Trailer"),
    [FIELD_TRANSFER_ENCODING] = SLICE_INIT("Transfer-Encoding"),
    [FIELD_UPGRADE] = SLICE_INIT("Upgrade"),
    [FIELD_VIA] = SLICE_INIT("Via"),
    [FIELD_X_FORWARDED_FOR] = SLICE_INIT("X-Forwarded-For"),
    [FIELD_X_FORWARDED_HOST] = SLICE_INIT("X-Forwarded-Host"),
    [FIELD_X_FORWARDED_PROTO] = SLICE_INIT("X-Forwarded-Proto"),
    [FIELD_X_REQUEST_ID] = SLICE_INIT("X-Request-Id"),
};

/* The fields whose names have this many bytes, with the first and the last letter of each, by which
 * most names that are not known are told apart; the rest of a row is FIELD_OTHER. */
struct alike {
    unsigned char id;
    char first, last;
};

#define LENGTH_MOST 20
#define ALIKE_MOST  3
static const struct alike fields_of_length[LENGTH_MOST + 1][ALIKE_MOST] = {
    [2] = {{FIELD_TE, 't', 'e'}},
    [3] = {{FIELD_VIA, 'v', 'a'}},
    [4] = {{FIELD_HOST, 'h', 't'}, {FIELD_DATE, 'd', 'e'}},
    [6] = {{FIELD_ACCEPT, 'a', 't'}, {FIELD_COOKIE, 'c', 'e'}, {FIELD_EXPECT, 'e', 't'}},
    [7] = {{FIELD_UPGRADE, 'u', 'e'}, {FIELD_TRAILER, 't', 'r'}},
    [9] = {{FIELD_FORWARDED, 'f', 'd'}},
    [10] = {{FIELD_CONNECTION, 'c', 'n'},
            {FIELD_KEEP_ALIVE, 'k', 'e'},
            {FIELD_SET_COOKIE, 's', 'e'}},
    [11] = {{FIELD_TRACEPARENT, 't', 't'}},
    [12] = {{FIELD_MAX_FORWARDS, 'm', 's'}, {FIELD_X_REQUEST_ID, 'x', 'd'}},
    [13] = {{FIELD_AUTHORIZATION, 'a', 'n'}},
    [14] = {{FIELD_CONTENT_LENGTH, 'c', 'h'}, {FIELD_HTTP2_SETTINGS, 'h', 's'}},
    [15] = {{FIELD_X_FORWARDED_FOR, 'x', 'r'}},
    [16] = {{FIELD_PROXY_CONNECTION, 'p', 'n'}, {FIELD_X_FORWARDED_HOST, 'x', 't'}},
    [17] = {{FIELD_TRANSFER_ENCODING, 't', 'g'},
            {FIELD_SEC_WEBSOCKET_KEY, 's', 'y'},
            {FIELD_X_FORWARDED_PROTO, 'x', 'o'}},
    [19] = {{FIELD_PROXY_AUTHORIZATION, 'p', 'n'}},
    [20] = {{FIELD_SEC_WEBSOCKET_ACCEPT, 's', 't'}},
};

enum field_id field_id_of(struct slice name)
{
    if (name.len == 0 || name.len > LENGTH_MOST)
        return FIELD_OTHER;
    const struct alike *row = fields_of_length[name.len];
    char first = slice_lower(name.at[0]);
    char last = slice_lower(name.at[name.len - 1]);
    for (size_t i = 0; i < ALIKE_MOST && row[i].id != FIELD_OTHER; i++)
        if (row[i].first == first && row[i].last == last &&
            slice_equals_nocase(name, field_names[row[i].id]))
            return row[i].id;
    return FIELD_OTHER;
}

bool field_is_framing(enum field_id id)
{
    switch (id) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_UPGRADE:
    case FIELD_EXPECT:
    case FIELD_HOST:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_SEC_WEBSOCKET_KEY: /* the 101 is checked against it, here and by the client */
        return true;
    default:
        return false;
    }
}

const struct field *head_find(const struct head *h, enum field_id id)
{
    if (!head_may_have(h, id))
        return NULL;
    for (size_t i = 0; i < h->count; i++) {
        if (h->fields[i].id == id)
            return &h->fields[i];
    }
    return NULL;
}

const struct field *head_find_name(const struct head *h, struct slice name)
{
    for (size_t i = 0; i < h->count; i++) {
        if (slice_equals_nocase(h->fields[i].name, name))
            return &h->fields[i];
    }
    return NULL;
}

size_t head_count(const struct head *h, enum field_id id)
{
    size_t count = 0;
    if (!head_may_have(h, id))
        return 0;
    for (size_t i = 0; i < h->count; i++)
        count += h->fields[i].id == id;
    return count;
}

bool head_find_token(const struct head *h, enum field_id id, struct slice token)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->fields[i].id == id && slice_list_has(h->fields[i].value, token))
            return true;
    }
    return false;
}

/* Room for one more. The old array stays where it is until the arena is reset. */
static bool make_room(struct head *h)
{
    if (h->count < h->room)
        return true;
    size_t room = h->room > 0 ? h->room * 2 : ROOM_TO_SPARE;
    struct field *fields = arena_alloc(h->arena, room * sizeof *fields);
    if (!fields)
        return false;
    for (size_t i = 0; i < h->count; i++)
        fields[i] = h->fields[i];
    h->fields = fields;
    h->room = room;
    return true;
}

/* The only way into the array: what `kinds` says depends on it. */
static void put_field(struct head *h, size_t at, struct field field)
{
    h->fields[at] = field;
    h->kinds |= 1u << field.id;
}

static bool copy_field(struct head *h, struct slice name, struct slice value, struct field *out)
{
    char *copy = arena_alloc(h->arena, name.len + value.len);
    if (!copy)
        return false;
    memcpy(copy, name.at, name.len);
    if (value.len > 0)
        memcpy(copy + name.len, value.at, value.len);
    *out = (struct field){
        .name = slice_of(copy, name.len),
        .value = slice_of(copy + name.len, value.len),
        .id = field_id_of(name),
        .set = true,
    };
    return true;
}

bool head_add(struct head *h, struct slice name, struct slice value)
{
    struct field field;
    if (!copy_field(h, name, value, &field) || !make_room(h))
        return false;
    put_field(h, h->count++, field);
    return true;
}

/* Removes all of that name but the one at `kept`; h->count to keep none. */
static void remove_others(struct head *h, struct slice name, size_t kept)
{
    size_t left = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (i == kept || !slice_equals_nocase(h->fields[i].name, name))
            h->fields[left++] = h->fields[i];
    }
    h->count = left;
}

bool head_set(struct head *h, struct slice name, struct slice value)
{
    const struct field *found = head_find_name(h, name);
    if (!found)
        return head_add(h, name, value);
    struct field field;
    if (!copy_field(h, name, value, &field))
        return false;
    size_t kept = (size_t)(found - h->fields);
    put_field(h, kept, field);
    remove_others(h, field.name, kept);
    return true;
}

void head_remove(struct head *h, struct slice name)
{
    remove_others(h, name, h->count);
}

size_t head_fields_size(const struct head *h)
{
    size_t size = 0;
    for (size_t i = 0; i < h->count; i++)
        size += h->fields[i].name.len + 2 + h->fields[i].value.len + 2;
    return size;
}

static struct slice part(struct slice bytes, uint32_t at, uint32_t len)
{
    return slice_of(bytes.at + at, len);
}

static void keep_start_line(struct head *h, struct slice bytes, const struct lint_head *lint)
{
    h->method = part(bytes, lint->method, lint->method_len);
    h->target = part(bytes, lint->target, lint->target_len);
    h->status = lint->status;
    h->reason = part(bytes, lint->reason, lint->reason_len);
    h->minor = lint->minor > 0 ? 1 : 0;
}

static bool keep_fields(struct head *h, struct slice bytes, const struct lint_head *lint)
{
    h->room = lint->count + ROOM_TO_SPARE;
    h->fields = arena_alloc(h->arena, h->room * sizeof *h->fields);
    if (!h->fields)
        return false;
    for (; h->count < lint->count; h->count++) {
        const struct lint_field *seen = &lint->fields[h->count];
        struct slice name = part(bytes, seen->name, seen->name_len);
        struct slice value = part(bytes, seen->value, seen->value_len);
        put_field(h, h->count, (struct field){name, value, field_id_of(name), false});
    }
    return true;
}

static struct fault read_head(struct head *out, struct arena *arena, struct slice bytes,
                              bool is_request, const struct lint_limits *limits, bool *disagreed)
{
    /* Only what lint fills is read; clearing 16 KiB for each head would cost more than the head. */
    __attribute__((uninitialized)) struct lint_field fields[LINT_FIELDS_MAX];
    struct lint_head lint = {.fields = fields, .room = LINT_FIELDS_MAX};
    struct fault f =
        is_request ? lint_request(bytes, limits, &lint) : lint_response(bytes, limits, &lint);
    *out = (struct head){.arena = arena};
    *disagreed = false;
    keep_start_line(out, bytes, &lint);
    if (fault_is(f))
        return f;
    *disagreed = is_request ? !parser_agrees_on_request(bytes, &lint)
                            : !parser_agrees_on_response(bytes, &lint);
    if (*disagreed)
        return fault_of(is_request ? 400 : 502, "a head that two readers read differently");
    return keep_fields(out, bytes, &lint) ? f : fault_of(500, "out of memory for a head");
}

struct fault head_read_request(struct head *out, struct arena *arena, struct slice bytes,
                               const struct lint_limits *limits, bool *disagreed)
{
    return read_head(out, arena, bytes, true, limits, disagreed);
}

struct fault head_read_response(struct head *out, struct arena *arena, struct slice bytes,
                                const struct lint_limits *limits, bool *disagreed)
{
    return read_head(out, arena, bytes, false, limits, disagreed);
}
