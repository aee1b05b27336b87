/*
 * upgrade: protocol upgrades (RFC 9110 section 7.8, RFC 6455 section 4) as pure rules.
 */
#ifndef INTERIM_HTTP_UPGRADE_H
#define INTERIM_HTTP_UPGRADE_H

#include "http/framing.h"

#define UPGRADE_OFFERS_MAX 16

/* An ordered list of protocols ("websocket", "foo/2"). Slices borrow from whoever filled it. */
struct upgrade_offers {
    struct slice protocol[UPGRADE_OFFERS_MAX];
    size_t count;
};

/* Where an upgrade stands. */
#define UPGRADE_STATES(X)                                                                          \
    X(NONE, "the client offers nothing that counts")                                               \
    X(ASKED, "the client offers protocols, the policy has not decided")                            \
    X(ORDINARY, "none of them goes to the origin: an ordinary request")                            \
    X(FORWARDED, "the offer went to the origin, no answer yet")                                    \
    X(SWITCHED, "a 101 that fits came: the connections are a tunnel")                              \
    X(DECLINED, "the origin gave a final response instead")                                        \
    X(BROKEN, "the origin sent a 101 that does not fit the offer")                                 \
    X(REFUSED, "the policy gave a final answer instead")

#define UPGRADE_EVENTS(X)                                                                          \
    X(OFFER, "the policy, or the default, chooses protocols")                                      \
    X(ORDINARY, "the policy, or the default, chooses none")                                        \
    X(REFUSE, "the policy gives a final answer")                                                   \
    X(SWITCH, "the origin sends a 101 that fits")                                                  \
    X(MISFIT, "the origin sends any other 101")                                                    \
    X(FINAL, "the origin sends a final response")                                                  \
    X(PAGE, "the proxy answers itself")

#define UPGRADE_ACTIONS(X)                                                                         \
    X(SEND_OFFER, "send the head to the origin with the protocols chosen")                         \
    X(SEND_PLAIN, "send the head to the origin without an offer")                                  \
    X(ANSWER, "answer and close")                                                                  \
    X(TUNNEL, "pass it on; from there on the connections are a tunnel")                            \
    X(RELAY, "pass it on; HTTP goes on")                                                           \
    X(RELAY_CLOSE, "pass it on, then close: what the client sent was for another protocol")        \
    X(BAD, "502")                                                                                  \
    X(IMPOSSIBLE, "cannot happen: the caller is wrong")

#define UPGRADE_STATE_ENUM(name, text)  UPGRADE_STATE_##name,
#define UPGRADE_EVENT_ENUM(name, text)  UPGRADE_EVENT_##name,
#define UPGRADE_ACTION_ENUM(name, text) UPGRADE_ACTION_##name,
enum upgrade_state { UPGRADE_STATES(UPGRADE_STATE_ENUM) UPGRADE_STATE_COUNT };
enum upgrade_event { UPGRADE_EVENTS(UPGRADE_EVENT_ENUM) UPGRADE_EVENT_COUNT };
enum upgrade_action { UPGRADE_ACTIONS(UPGRADE_ACTION_ENUM) UPGRADE_ACTION_COUNT };

/* One step: moves *state, returns what to do. `early`: bytes have come behind the request's head,
 * which must not be read as a request once the offer has failed. */
enum upgrade_action upgrade_step(enum upgrade_state *state, enum upgrade_event event, bool early);

/*
 * What the client offers: HTTP/1.1, the token `upgrade` in Connection, a valid Upgrade list
 * (protocol names with an optional version, at most UPGRADE_OFFERS_MAX), no body announced.
 * Anything else gives no offers (count 0), and the fields are then not forwarded.
 */
void upgrade_read_offers(const struct head *head, struct framing framing,
                         struct upgrade_offers *out);

/* True if the list holds this protocol, letter case ignored. */
bool upgrade_offers_has(const struct upgrade_offers *offers, struct slice protocol);

/* Whether a protocol is websocket, of whatever version. */
bool upgrade_is_websocket(struct slice protocol);

/* The default decision: `websocket` if it was offered, else nothing. */
void upgrade_default(const struct upgrade_offers *offered, struct upgrade_offers *out);

/* The offers as a field value: "websocket, foo/2". Empty slice when memory is out. */
struct slice upgrade_offers_value(const struct upgrade_offers *offers, struct arena *arena);

/*
 * Checks a 101 against what was forwarded on this request: `Connection: upgrade`, an `Upgrade`
 * that names only offered protocols (at least one), and for websocket a Sec-WebSocket-Accept that
 * matches the request's key (RFC 6455 section 4.2.2) and is not of one hop. 502 otherwise.
 * *protocol is the first named protocol, borrowed from `response`.
 */
struct fault upgrade_check(const struct head *request, const struct upgrade_offers *forwarded,
                           const struct head *response, struct slice *protocol);

/* The Sec-WebSocket-Accept value for a key, and a NUL. */
#define UPGRADE_ACCEPT_LEN 28
void upgrade_accept_key(struct slice key, char out[UPGRADE_ACCEPT_LEN + 1]);

#endif
