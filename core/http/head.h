/*
 * head: the fields of one message, in order, as slices.
 *
 * Filled from bytes that http/lint passed, by http-parser, which is used for heads only and never
 * decides where a message ends. The two readers must agree on every span; where they do not, the
 * message is refused and *disagreed is set, a counter that tests require to be 0.
 *
 * All slices borrow from the bytes given to head_read_*, or from `arena` once a field was set;
 * both belong to the exchange and die with it.
 */
#ifndef INTERIM_HTTP_HEAD_H
#define INTERIM_HTTP_HEAD_H

#include "base/arena.h"
#include "base/slice.h"
#include "http/fault.h"
#include "http/lint.h"

/* The fields the proxy itself has to do with. Found once, when the head is read. */
enum field_id {
    FIELD_OTHER,
    FIELD_ACCEPT,
    FIELD_AUTHORIZATION,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_COOKIE,
    FIELD_DATE,
    FIELD_EXPECT,
    FIELD_FORWARDED,
    FIELD_HOST,
    FIELD_HTTP2_SETTINGS,
    FIELD_KEEP_ALIVE,
    FIELD_MAX_FORWARDS,
    FIELD_PROXY_AUTHORIZATION,
    FIELD_PROXY_CONNECTION,
    FIELD_SEC_WEBSOCKET_ACCEPT,
    FIELD_SEC_WEBSOCKET_KEY,
    FIELD_SET_COOKIE,
    FIELD_TE,
    FIELD_TRACEPARENT,
    FIELD_TRAILER,
    FIELD_TRANSFER_ENCODING,
    FIELD_UPGRADE,
    FIELD_VIA,
    FIELD_X_FORWARDED_FOR,
    FIELD_X_FORWARDED_HOST,
    FIELD_X_FORWARDED_PROTO,
    FIELD_X_REQUEST_ID,
    FIELD_COUNT
};

struct field {
    struct slice name;
    struct slice value;
    enum field_id id;
    bool set; /* put there here, not received: no Connection of the sender speaks of it */
};

struct head {
    struct slice method;  /* request */
    struct slice target;  /* request, as the client wrote it */
    int status;           /* response */
    struct slice reason;  /* response */
    unsigned minor;       /* of HTTP/1: 0 or 1; a higher one counts as 1 */
    struct field *fields; /* `count` of them, in order */
    size_t count;
    size_t room;
    uint32_t kinds; /* bit 1u << id of each, and of some that were removed: see head_may_have */
    struct arena *arena; /* for the array and for values that are set */
};

/*
 * Reads a complete head (its empty line included) that outlives *out. 400-family faults for a
 * request as lint_request says, 502 for a response; 500 when memory is out.
 */
struct fault head_read_request(struct head *out, struct arena *arena, struct slice bytes,
                               const struct lint_limits *limits, bool *disagreed);
struct fault head_read_response(struct head *out, struct arena *arena, struct slice bytes,
                                const struct lint_limits *limits, bool *disagreed);

/* Which field a name is, letter case ignored. */
enum field_id field_id_of(struct slice name);

/* True for fields a policy may read but never set: Content-Length, Transfer-Encoding, Connection,
 * Upgrade, Expect, Host, Keep-Alive, Proxy-Connection, TE, Trailer, HTTP2-Settings,
 * Sec-WebSocket-Key. */
bool field_is_framing(enum field_id id);

/* False: there is none with this id, without a search. Most are in few heads. */
static inline bool head_may_have(const struct head *h, enum field_id id)
{
    return (h->kinds & 1u << id) != 0;
}

/* The first field with this id or name; NULL when there is none. */
const struct field *head_find(const struct head *h, enum field_id id);
const struct field *head_find_name(const struct head *h, struct slice name);

size_t head_count(const struct head *h, enum field_id id);

/* True if any field with this id holds `token` in its list, letter case ignored. */
bool head_find_token(const struct head *h, enum field_id id, struct slice token);
static inline bool head_has_token(const struct head *h, enum field_id id, struct slice token)
{
    return head_may_have(h, id) && head_find_token(h, id, token);
}

/*
 * Editing. Names and values are copied into the arena; the caller has checked them with
 * slice_is_token and lint_is_value. False when memory is out.
 * head_set replaces the first of that name, in its place, and removes the others; appends if none.
 */
bool head_add(struct head *h, struct slice name, struct slice value);
bool head_set(struct head *h, struct slice name, struct slice value);
void head_remove(struct head *h, struct slice name);

/* Bytes the field section takes on the wire, to check limits again after edits. */
size_t head_fields_size(const struct head *h);

#endif
