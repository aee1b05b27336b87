/*
 * origin: one exchange's side towards its origin, speaking HTTP/1.
 *
 * It finds a connection, writes the request, reads the responses and gives them to the exchange.
 * It lives in the exchange; the functions here are all that an exchange knows of it.
 */
#ifndef INTERIM_PROXY_ORIGIN_H
#define INTERIM_PROXY_ORIGIN_H

#include "http/rewrite.h"
#include "net/upstream.h"
#include "proxy/body.h"

struct exchange;

enum origin_step {
    ORIGIN_NONE,       /* no connection */
    ORIGIN_CONNECTING, /* one is being made */
    ORIGIN_HEAD,       /* a response head is to come */
    ORIGIN_HELD,       /* a final head is in; its body waits for origin_accept */
    ORIGIN_BODY,       /* the body is being read */
    ORIGIN_DONE        /* the response is complete */
};

struct origin {
    struct exchange *exchange;
    struct upstream *upstream;
    struct upstream_search search;
    struct uplink *uplink;
    enum origin_step step;
    struct response response; /* the latest head */
    struct body_reader body;
    struct buf in;             /* read and not yet used */
    struct slice *input;       /* what is being worked on; NULL outside */
    size_t scanned;            /* of an incomplete head */
    struct slice tried;        /* "127.0.0.1:9000 (Connection refused), …", in the arena */
    enum framing_kind writing; /* how the request body is framed */
    bool spoke;                /* any byte of a response has come */
    bool request_sent;         /* the request was put whole */
    bool ended;                /* the origin ended its sending side */
};

void origin_init(struct origin *o, struct exchange *x);
void origin_free(struct origin *o); /* drops the connection and the memory */

/*
 * Looks for a connection: an idle one unless `fresh`, else a new one; for a request that may be
 * sent only `once`, none that has ended. True: one is there, or is being made
 * (exchange_origin_ready comes from the loop). False: every address failed.
 */
bool origin_seek(struct origin *o, struct upstream *upstream, bool fresh, bool once);

/* How many addresses are still to be tried. */
size_t origin_untried(const struct origin *o);

/* The address that is being connected to has had its time: on to the next. False: none is left. */
bool origin_pass_over(struct origin *o);

/* True if a connection is there and can be written to. */
bool origin_is_ready(const struct origin *o);

/* Not all that was sent has been taken. */
bool origin_has_waiting(const struct origin *o);

/* Likewise, once what was put has been sent. */
bool origin_is_blocked(struct origin *o);

/* What stands before the first request on a new connection. Copied. */
void origin_preface(struct origin *o, struct slice bytes);

/* The request, in this order. origin_head returns false when the head cannot be written. */
bool origin_head(struct origin *o, const struct rewrite_request *r);
void origin_body(struct origin *o, const struct slice *data, size_t count);
void origin_end(struct origin *o, struct slice trailers);

/* Where body bytes may be passed unread, in the place of origin_body. */
struct body_way origin_way(struct origin *o);

/* The exchange takes the body of the final response now. */
void origin_accept(struct origin *o);

/* The client can take more. */
void origin_resume(struct origin *o);

/* Lets go of the connection: back to the pool if it is clean, else closed. */
void origin_release(struct origin *o);

/* Closes the connection, whatever its state. */
void origin_drop(struct origin *o);

/* The connection is the caller's now. */
struct uplink *origin_take(struct origin *o);

/* Bytes behind a 101, from inside exchange_switching: they are the tunnel's now, and live until
 * the next read. */
struct slice origin_take_early(struct origin *o);

/* The address in use did not serve the request: others are tried before it for a while. */
void origin_blame(struct origin *o, enum health_failure failure, const char *why);

/* What is counted of the address in use or tried last; there must be one. */
struct origin_stats *origin_stats(const struct origin *o);

/* The address in use or tried last, as text; "" when none was. */
const char *origin_address(const struct origin *o);

#endif
