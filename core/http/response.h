/*
 * response: everything that is decided about a response head, decided once.
 */
#ifndef INTERIM_HTTP_RESPONSE_H
#define INTERIM_HTTP_RESPONSE_H

#include "http/framing.h"

struct response {
    struct head head;
    struct framing framing;
    bool keep_alive; /* the origin will take another request on this connection */
};

/*
 * Reads a complete head of a response, interim or final. Every fault is a 502 (500: no memory).
 * `bytes` and `arena` must outlive *out.
 */
struct fault response_read(struct response *out, struct arena *arena, struct slice bytes,
                           bool to_head_request, const struct lint_limits *limits, bool *disagreed);

/* The usual reason phrase of a status ("Not Found"); "" for one that has none. */
const char *response_reason(int status);

#endif
