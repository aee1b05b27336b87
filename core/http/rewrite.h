/*
 * rewrite: the only writer of heads. Every head that leaves the proxy, in either direction, is
 * written here from parsed fields; the bytes of one hop never pass to the next.
 *
 * Removed both ways: Connection and what it nominates, Keep-Alive, Proxy-Connection, TE (except
 * `trailers`), Transfer-Encoding, Upgrade, Trailer unless it stays true, HTTP2-Settings (unless
 * h2c is forwarded); made anew where the next hop needs them. Everything else passes in order and
 * byte for byte.
 */
#ifndef INTERIM_HTTP_REWRITE_H
#define INTERIM_HTTP_REWRITE_H

#include "base/buf.h"
#include "http/request.h"
#include "http/response.h"

/* What a request head needs to know beside the request. Slices borrowed for the call. */
struct rewrite_request {
    const struct request *request;
    struct framing framing;               /* towards the origin */
    bool expect;                          /* write `Expect: 100-continue` */
    const struct upgrade_offers *upgrade; /* NULL or empty: not an upgrade */
    struct slice via;                     /* pseudonym; empty: no Via */
    struct slice client;                  /* address for X-Forwarded-For; "" for a unix socket */
    struct slice scheme;                  /* "http", for X-Forwarded-Proto */
    struct slice id;                      /* for X-Request-Id, if the head has none; or empty */
    bool trusted;                         /* the peer is a trusted proxy: append, do not replace */
};

/*
 * Each function here appends a whole head or nothing: false when `out` has no room, when memory is
 * out, or when Connection names more than WRITER_NOMINATED_MAX fields, which is an attack on the
 * search through them.
 */
bool rewrite_request(struct buf *out, const struct rewrite_request *r);

/* What a final response head needs to know. */
struct rewrite_response {
    const struct head *head;  /* status, reason, fields */
    struct framing framing;   /* towards the client; NONE writes no framing field, LENGTH keeps or
                                 makes Content-Length, CHUNKED writes Transfer-Encoding, CLOSE
                                 neither */
    bool keep_framing_fields; /* HEAD, 304: the origin's Content-Length passes as it is */
    bool close;               /* write `Connection: close` */
    bool keep_alive;          /* write `Connection: keep-alive`: an HTTP/1.0 client that asked */
    struct slice via;         /* empty: no Via */
    struct slice date;        /* IMF-fixdate, added if the response has no Date; empty: never */
};

bool rewrite_response(struct buf *out, const struct rewrite_response *r);

/* A 1xx other than 101, towards an HTTP/1.1 client: framing and hop-by-hop fields removed. */
bool rewrite_interim(struct buf *out, const struct head *head, struct slice via);

/* A checked 101: Connection: upgrade and its Upgrade are written anew. */
bool rewrite_switching(struct buf *out, const struct head *head, struct slice via);

/*
 * Trailer fields (raw lines as chunk_decode gave them) without those that frame, route,
 * authenticate or control (RFC 9110 section 6.5.1) and without hop-by-hop ones.
 */
bool rewrite_trailers(struct buf *out, struct slice lines);

#endif
