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

/*
 * What the client offers: HTTP/1.1, the token `upgrade` in Connection, a valid Upgrade list
 * (protocol names with an optional version, at most UPGRADE_OFFERS_MAX), no body announced.
 * Anything else gives no offers (count 0), and the fields are then not forwarded.
 */
void upgrade_read_offers(const struct head *head, struct framing framing,
                         struct upgrade_offers *out);

/* True if the list holds this protocol, letter case ignored. */
bool upgrade_offers_has(const struct upgrade_offers *offers, struct slice protocol);

/* The default decision: `websocket` if it was offered, else nothing. */
void upgrade_default(const struct upgrade_offers *offered, struct upgrade_offers *out);

/* The offers as a field value: "websocket, foo/2". Empty slice when memory is out. */
struct slice upgrade_offers_value(const struct upgrade_offers *offers, struct arena *arena);

/*
 * Checks a 101 against what was forwarded on this request: `Connection: upgrade`, an `Upgrade`
 * that names only offered protocols (at least one), and for websocket a Sec-WebSocket-Accept that
 * matches the request's key (RFC 6455 section 4.2.2). 502 otherwise. *protocol is the first named
 * protocol, borrowed from `response`.
 */
struct fault upgrade_check(const struct head *request, const struct upgrade_offers *forwarded,
                           const struct head *response, struct slice *protocol);

/* The Sec-WebSocket-Accept value for a key: 28 bytes and a NUL. Empty when memory is out; as no
 * answer matches that, the check fails closed. */
void upgrade_accept_key(struct slice key, char out[29]);

#endif
