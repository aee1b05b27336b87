/*
 * request: everything that is decided about a request head, decided once.
 */
#ifndef INTERIM_HTTP_REQUEST_H
#define INTERIM_HTTP_REQUEST_H

#include "http/expect.h"
#include "http/framing.h"
#include "http/upgrade.h"

struct request {
    struct head head;
    struct framing framing;
    enum expect_kind expect;
    struct upgrade_offers offers; /* what the client offers; count 0: no upgrade */
    struct slice path;            /* origin-form path: starts with '/', or is "*" */
    struct slice query;           /* behind '?'; `at` NULL when there is no '?' */
    struct slice host;            /* authority: of an absolute-form target, else Host; may be empty
                                     in HTTP/1.0 */
    bool keep_alive;              /* what the client wants (RFC 9112 section 9.3) */
    bool is_head;
    bool wants_answer_here; /* TRACE or OPTIONS with Max-Forwards: 0 (RFC 9110 7.6.2) */
};

/*
 * Reads a complete head: lint, http-parser, target, Host, framing, Connection's nominations,
 * expectation, upgrade. On a fault *out holds what could be read so far (method, target may be
 * empty), good for a log line only; `keep_alive` is then false.
 * `bytes` and `arena` must outlive *out.
 */
struct fault request_read(struct request *out, struct arena *arena, struct slice bytes,
                          const struct lint_limits *limits, bool *disagreed);

/* Whether its method is safe to send twice (RFC 9110 section 9.2.2). */
bool request_is_idempotent(const struct request *r);

/*
 * Replaces path and query, for a policy. `path` starts with '/' and holds no '?'; a query `at` NULL
 * means none. False (nothing changed) when a byte may not stand in a target, when path and query
 * together exceed `max` bytes, or when memory is out.
 */
bool request_set_path(struct request *r, struct slice path, size_t max);
bool request_set_query(struct request *r, struct slice query, size_t max);

#endif
