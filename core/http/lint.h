/*
 * lint: the strict reader of a message head. It sees every byte before anything else does.
 *
 * Pure functions of bytes. lint_find_end watches a head arrive; lint_request and lint_response then
 * read the complete head and say whether every byte is where RFC 9112 wants it. What passed may
 * be given to http-parser (head.h), which is lenient on its own. The spans found here are kept so
 * that the two readers can be compared.
 *
 * Next on a request's way: http/head.
 */
#ifndef INTERIM_HTTP_LINT_H
#define INTERIM_HTTP_LINT_H

#include "base/slice.h"
#include "http/fault.h"

/* Bounds on one head. Sizes in bytes. */
struct lint_limits {
    size_t start_line; /* request line without its CRLF: over it 414 (a response: 502) */
    size_t head;       /* whole head, empty line included: over it 431 (502) */
    size_t fields;     /* field lines: over it 431 (502); at most LINT_FIELDS_MAX */
};

#define LINT_FIELDS_MAX 1024

/* One field line, as offsets into the head; the value without the white space around it. */
struct lint_field {
    uint32_t name, name_len;
    uint32_t value, value_len;
};

/* What the strict reader saw. Offsets count from the first byte given. */
struct lint_head {
    uint32_t skipped;            /* empty lines before a request line: 0, 2 or 4 bytes */
    uint32_t method, method_len; /* request only */
    uint32_t target, target_len; /* request only */
    unsigned major, minor;       /* as written: "HTTP/1.7" is 1 and 7 */
    int status;                  /* response only */
    uint32_t reason, reason_len; /* response only; may be empty */
    size_t count;                /* fields found */
    struct lint_field *fields;   /* the caller's array; room for `room` */
    size_t room;
};

enum lint_progress {
    LINT_MORE,     /* no empty line yet, and nothing wrong so far */
    LINT_COMPLETE, /* *end is the length of the head, its empty line included */
    LINT_BAD,      /* *fault says what; more bytes cannot mend it */
};

/*
 * Looks for the end of a head in the bytes so far. `bytes` always starts where the head starts;
 * `*scanned` is 0 at first and carries how far earlier calls came, so that a head that arrives byte
 * by byte is still read once. Reports at once what no later byte can mend: a bare LF, a first byte
 * that no message starts with, more than two empty lines before a request, a line or a head over
 * the limits. `is_request` says whether empty lines may come first (RFC 9112 section 2.2) and
 * whether the fault is the client's (400, 414, 431) or the origin's (502).
 */
enum lint_progress lint_find_end(struct slice bytes, size_t *scanned, bool is_request,
                                 const struct lint_limits *limits, size_t *end,
                                 struct fault *fault);

/*
 * Reads a complete head, empty line included. On success *out is filled and no fault is returned.
 * Faults of a request: 400, 414, 431, 501 (method over 32 bytes, or CONNECT), 505 (another major
 * version). Faults of a response: always 502.
 * Rules: RFC 9112 sections 2.2, 2.3, 3, 4, 5; RFC 9110 sections 5.1, 5.5, 5.6.2, 9.1.
 */
struct fault lint_request(struct slice head, const struct lint_limits *limits,
                          struct lint_head *out);
struct fault lint_response(struct slice head, const struct lint_limits *limits,
                           struct lint_head *out);

/*
 * Reads one field line without its CRLF, for trailers and for fields a policy sets. False if the
 * name is no token, is not directly followed by a colon, or the value holds a control byte.
 */
bool lint_field_line(struct slice line, struct slice *name, struct slice *value);

/* True if every byte may stand in a field value: HTAB, SP, visible ASCII, obs-text. */
bool lint_is_value(struct slice value);

/* True if every byte may stand in a request target: visible ASCII except '#'; not empty. */
bool lint_is_target(struct slice target);

#endif
