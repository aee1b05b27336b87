/*
 * upgrade: owns nothing; reads what a client offers and judges the 101 that answers it.
 *
 * Promises that a tunnel begins only after a 101 that switches to a protocol which was forwarded on
 * this very request, and, for websocket, that proves to have seen the request's key.
 *
 * Next on a request's way: the policy's `upgrade` hook; after a checked 101, net/tunnel.
 */
#include "http/upgrade.h"

#include <assert.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <string.h>

struct step {
    enum upgrade_action action;
    enum upgrade_state next;
};

#define TO(action, next)                                                                           \
    {                                                                                              \
        UPGRADE_ACTION_##action, UPGRADE_STATE_##next                                              \
    }
#define ON(event) [UPGRADE_EVENT_##event]
/* The policy decides once, before anything reaches an origin. */
#define DECIDED(state)                                                                             \
    ON(OFFER) = TO(IMPOSSIBLE, state), ON(ORDINARY) = TO(IMPOSSIBLE, state),                       \
    ON(REFUSE) = TO(IMPOSSIBLE, state)
/* Nothing was offered to the origin. */
#define PLAIN(state)                                                                               \
    DECIDED(state), ON(SWITCH) = TO(BAD, state), ON(MISFIT) = TO(BAD, state),                      \
                    ON(FINAL) = TO(RELAY, state), ON(PAGE) = TO(RELAY, state)
/* The origin has spoken its last word. */
#define SPOKEN(state)                                                                              \
    DECIDED(state), ON(SWITCH) = TO(IMPOSSIBLE, state), ON(MISFIT) = TO(IMPOSSIBLE, state),        \
                    ON(FINAL) = TO(IMPOSSIBLE, state)

static const struct step steps[UPGRADE_STATE_COUNT][UPGRADE_EVENT_COUNT] = {
    [UPGRADE_STATE_NONE] = {PLAIN(NONE)},
    [UPGRADE_STATE_ASKED] =
        {
            ON(OFFER) = TO(SEND_OFFER, FORWARDED),
            ON(ORDINARY) = TO(SEND_PLAIN, ORDINARY),
            ON(REFUSE) = TO(ANSWER, REFUSED),
            ON(SWITCH) = TO(IMPOSSIBLE, ASKED),
            ON(MISFIT) = TO(IMPOSSIBLE, ASKED),
            ON(FINAL) = TO(IMPOSSIBLE, ASKED),
            ON(PAGE) = TO(RELAY, ASKED),
        },
    [UPGRADE_STATE_ORDINARY] = {PLAIN(ORDINARY)},
    [UPGRADE_STATE_FORWARDED] =
        {
            DECIDED(FORWARDED),
            ON(SWITCH) = TO(TUNNEL, SWITCHED),
            ON(MISFIT) = TO(BAD, BROKEN),
            ON(FINAL) = TO(RELAY, DECLINED),
            ON(PAGE) = TO(RELAY, FORWARDED),
        },
    [UPGRADE_STATE_SWITCHED] = {SPOKEN(SWITCHED), ON(PAGE) = TO(RELAY, SWITCHED)},
    [UPGRADE_STATE_DECLINED] = {SPOKEN(DECLINED), ON(PAGE) = TO(RELAY, DECLINED)},
    [UPGRADE_STATE_BROKEN] = {SPOKEN(BROKEN), ON(PAGE) = TO(RELAY, BROKEN)},
    [UPGRADE_STATE_REFUSED] = {SPOKEN(REFUSED), ON(PAGE) = TO(RELAY, REFUSED)},
};

static const struct slice websocket = SLICE_INIT("websocket");

/* protocol = token [ "/" token ] (RFC 9110 section 7.8). */
static bool is_protocol(struct slice s)
{
    size_t slash = slice_find(s, '/');
    if (!slice_is_token(slice_of(s.at, slash)))
        return false;
    return slash == s.len || slice_is_token(slice_skip(s, slash + 1));
}

/* Adds the members of one Upgrade field; false when one is malformed or there is no room. */
static bool add_members(struct upgrade_offers *out, struct slice list)
{
    struct slice member;
    while (slice_next_member(&list, &member)) {
        if (!is_protocol(member) || out->count == UPGRADE_OFFERS_MAX)
            return false;
        out->protocol[out->count++] = member;
    }
    return true;
}

/* The protocols of all Upgrade fields; false when they are no valid list or an empty one. */
static bool read_list(const struct head *head, struct upgrade_offers *out)
{
    out->count = 0;
    for (size_t i = 0; i < head->count; i++) {
        const struct field *f = &head->fields[i];
        if (f->id == FIELD_UPGRADE && !add_members(out, f->value))
            return false;
    }
    return out->count > 0;
}

/* RFC 6455 section 4.2.2 */
static bool accepts_key(const struct head *request, const struct head *response)
{
    const struct field *key = head_find(request, FIELD_SEC_WEBSOCKET_KEY);
    const struct field *accept = head_find(response, FIELD_SEC_WEBSOCKET_ACCEPT);
    if (key == NULL || accept == NULL || head_count(request, FIELD_SEC_WEBSOCKET_KEY) != 1 ||
        head_count(response, FIELD_SEC_WEBSOCKET_ACCEPT) != 1)
        return false;
    char expected[UPGRADE_ACCEPT_LEN + 1];
    upgrade_accept_key(key->value, expected);
    return slice_equals(accept->value, slice_of(expected, UPGRADE_ACCEPT_LEN));
}

/* Whether bytes behind the head may be requests: only if no other protocol is in question. */
static bool is_plain(enum upgrade_state state)
{
    return state == UPGRADE_STATE_NONE || state == UPGRADE_STATE_ORDINARY;
}

enum upgrade_action upgrade_step(enum upgrade_state *state, enum upgrade_event event, bool early)
{
    assert(*state < UPGRADE_STATE_COUNT && event < UPGRADE_EVENT_COUNT);
    const struct step *s = &steps[*state][event];
    *state = s->next;
    if (early && s->action == UPGRADE_ACTION_RELAY && !is_plain(s->next))
        return UPGRADE_ACTION_RELAY_CLOSE;
    return s->action;
}

void upgrade_accept_key(struct slice key, char out[UPGRADE_ACCEPT_LEN + 1])
{
    static const struct slice guid = SLICE_INIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    struct sha1_ctx hash;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&hash);
    sha1_update(&hash, key.len, (const uint8_t *)key.at);
    sha1_update(&hash, guid.len, (const uint8_t *)guid.at);
    sha1_digest(&hash, sizeof digest, digest);
    base64_encode_raw(out, sizeof digest, digest);
    out[UPGRADE_ACCEPT_LEN] = '\0';
}

bool upgrade_offers_has(const struct upgrade_offers *offers, struct slice protocol)
{
    for (size_t i = 0; i < offers->count; i++)
        if (slice_equals_nocase(offers->protocol[i], protocol))
            return true;
    return false;
}

void upgrade_read_offers(const struct head *head, struct framing framing,
                         struct upgrade_offers *out)
{
    out->count = 0;
    if (head->minor == 0 || framing_has_body(framing))
        return;
    if (!head_has_token(head, FIELD_CONNECTION, SLICE("upgrade")))
        return;
    if (!read_list(head, out))
        out->count = 0;
}

bool upgrade_is_websocket(struct slice protocol)
{
    struct slice name = slice_of(protocol.at, slice_find(protocol, '/'));
    return slice_equals_nocase(name, websocket);
}

void upgrade_default(const struct upgrade_offers *offered, struct upgrade_offers *out)
{
    bool has = upgrade_offers_has(offered, websocket);
    out->count = 0;
    if (has)
        out->protocol[out->count++] = websocket;
}

struct slice upgrade_offers_value(const struct upgrade_offers *offers, struct arena *arena)
{
    struct slice none = {NULL, 0};
    size_t room = 0;
    for (size_t i = 0; i < offers->count; i++)
        room += offers->protocol[i].len + 2;
    if (room == 0)
        return none;
    char *at = arena_alloc(arena, room);
    if (at == NULL)
        return none;
    size_t len = 0;
    for (size_t i = 0; i < offers->count; i++) {
        if (i > 0) {
            at[len++] = ',';
            at[len++] = ' ';
        }
        memcpy(at + len, offers->protocol[i].at, offers->protocol[i].len);
        len += offers->protocol[i].len;
    }
    return slice_of(at, len);
}

struct fault upgrade_check(const struct head *request, const struct upgrade_offers *forwarded,
                           const struct head *response, struct slice *protocol)
{
    struct upgrade_offers named;
    if (!head_has_token(response, FIELD_CONNECTION, SLICE("upgrade")))
        return fault_of(502, "101 without Connection: upgrade");
    if (!read_list(response, &named))
        return fault_of(502, "101 without a valid Upgrade field");
    for (size_t i = 0; i < named.count; i++) {
        if (!upgrade_offers_has(forwarded, named.protocol[i]))
            return fault_of(502, "101 to a protocol that was not offered");
        if (!upgrade_is_websocket(named.protocol[i]))
            continue;
        if (!accepts_key(request, response))
            return fault_of(502, "101 whose Sec-WebSocket-Accept does not match the key");
        /* It would not reach the client, which waits for it. */
        if (head_has_token(response, FIELD_CONNECTION, SLICE("sec-websocket-accept")))
            return fault_of(502, "101 whose Connection nominates Sec-WebSocket-Accept");
    }
    *protocol = named.protocol[0];
    return fault_none();
}
