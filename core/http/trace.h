/*
 * trace: the fields by which a request is followed through several programs: X-Request-Id, and
 * traceparent (W3C Trace Context).
 */
#ifndef INTERIM_HTTP_TRACE_H
#define INTERIM_HTTP_TRACE_H

#include "http/head.h"

#define TRACE_REQUEST_ID_MAX 64 /* bytes of an id from elsewhere */

/*
 * Writes over `id` if a trusted peer has given the request one: a single field of 1 to
 * TRACE_REQUEST_ID_MAX letters, digits and -._~+/=:@, which mean nothing to a log or a page. Else
 * the head has no X-Request-Id any more: nobody behind this is to read one that was made up.
 */
void trace_take_request_id(struct head *h, bool trusted, char id[TRACE_REQUEST_ID_MAX + 1]);

/* The trace-id of a head's one well-formed traceparent; else empty. Borrowed of the head. */
struct slice trace_id(const struct head *h);

#endif
