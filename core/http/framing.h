/*
 * framing: how long the body of a message is. Decided here, once, for both directions, from the
 * fields alone (RFC 9112 section 6.3); stored by the caller and never computed again.
 */
#ifndef INTERIM_HTTP_FRAMING_H
#define INTERIM_HTTP_FRAMING_H

#include "http/head.h"

enum framing_kind {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* exactly `length` bytes; 0 is possible: a body announced as empty */
    FRAMING_CHUNKED, /* until the last chunk and its trailer section */
    FRAMING_CLOSE,   /* until the origin closes; never for a request */
};

struct framing {
    enum framing_kind kind;
    uint64_t length;
};

/* 400, or 501 for a well-formed list of other codings that ends in chunked. */
struct fault framing_of_request(const struct head *head, struct framing *out);

/*
 * 502 for whatever is ambiguous. Interim responses, 204, 304 and answers to HEAD have no body
 * whatever their fields say; the fields must be well-formed all the same, except in a 1xx.
 */
struct fault framing_of_response(const struct head *head, bool to_head_request,
                                 struct framing *out);

/* A final status whose response never has a body (RFC 9112 section 6.3). */
static inline bool framing_is_bodiless(int status)
{
    return status == 204 || status == 304;
}

/* True if the framing announces at least one byte, or a body of unknown length. */
bool framing_has_body(struct framing f);

#endif
