/*
 * interim: owns the count of an exchange's 1xx responses and the table of what becomes of each.
 *
 * Promises that every 1xx an HTTP/1.1 client may see reaches it, that an HTTP/1.0 client sees none,
 * that a 101 nobody asked for passes under no circumstances, and that an origin cannot send them
 * without end.
 *
 * Next on a response's way: http/rewrite for what is forwarded, http/upgrade for a 101.
 */
#include "http/interim.h"

#include <assert.h>

#define ROW(kind)   [INTERIM_KIND_##kind]
#define FOR(client) [INTERIM_CLIENT_##client]

static const enum interim_action actions[INTERIM_KIND_COUNT][INTERIM_CLIENT_COUNT] = {
    ROW(CONTINUE) =
        {
            FOR(HTTP10) = INTERIM_SWALLOW,
            FOR(HTTP11) = INTERIM_FORWARD,
            FOR(UPGRADING) = INTERIM_FORWARD,
        },
    ROW(SWITCHING) =
        {
            FOR(HTTP10) = INTERIM_REFUSE,
            FOR(HTTP11) = INTERIM_REFUSE,
            FOR(UPGRADING) = INTERIM_UPGRADE,
        },
    ROW(OTHER) =
        {
            FOR(HTTP10) = INTERIM_SWALLOW,
            FOR(HTTP11) = INTERIM_FORWARD,
            FOR(UPGRADING) = INTERIM_FORWARD,
        },
};

static enum interim_kind kind_of(int code)
{
    return code == 100   ? INTERIM_KIND_CONTINUE
           : code == 101 ? INTERIM_KIND_SWITCHING
                         : INTERIM_KIND_OTHER;
}

static enum interim_client client_of(unsigned minor, bool upgrading)
{
    return minor == 0  ? INTERIM_CLIENT_HTTP10
           : upgrading ? INTERIM_CLIENT_UPGRADING
                       : INTERIM_CLIENT_HTTP11;
}

/* The limits count what was received: an origin pays for swallowed ones as well. */
static const char *over_limits(const struct interim *seen, const struct interim_limits *limits)
{
    if (seen->count > limits->count)
        return "more interim responses than limits.interim allows";
    if (seen->bytes > limits->bytes)
        return "more bytes of interim responses than limits.interim_bytes allows";
    return NULL;
}

enum interim_action interim_rule(enum interim_kind kind, enum interim_client client)
{
    assert(kind < INTERIM_KIND_COUNT && client < INTERIM_CLIENT_COUNT);
    return actions[kind][client];
}

enum interim_action interim_step(struct interim *seen, const struct interim_limits *limits,
                                 int code, size_t bytes, unsigned client_minor, bool upgrading,
                                 enum expect_state *expect, const char **why)
{
    assert(code >= 100 && code <= 199);
    enum interim_action action = interim_rule(kind_of(code), client_of(client_minor, upgrading));

    seen->count++;
    seen->bytes += bytes;
    seen->last = code;
    if (action == INTERIM_REFUSE) {
        *why = "101 that answers no forwarded upgrade";
        return INTERIM_REFUSE;
    }
    const char *over = over_limits(seen, limits);
    if (over != NULL) {
        *why = over;
        return INTERIM_REFUSE;
    }
    if (code == 100) {
        enum expect_action says = expect_step(expect, EXPECT_EVENT_ORIGIN_100, false);
        assert(says == EXPECT_ACTION_RELAY || says == EXPECT_ACTION_SWALLOW);
        if (says == EXPECT_ACTION_SWALLOW)
            action = INTERIM_SWALLOW;
    }
    if (action == INTERIM_FORWARD)
        seen->forwarded++;
    return action;
}
