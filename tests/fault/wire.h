/*
 * wire: reads messages of HTTP/1.1 strictly, and owes nothing to the code under test.
 */
#ifndef INTERIM_TESTS_FAULT_WIRE_H
#define INTERIM_TESTS_FAULT_WIRE_H

#include "base/slice.h"

struct message {
    const char *bad;   /* what is wrong with it; NULL */
    struct slice line; /* the first */
    struct slice head; /* all of it */
    struct slice body; /* without its framing, as far as it came; lives until the next is read */
    bool framed;       /* it says that it has a body */
    bool whole;        /* and this is all of it */
};

/*
 * The next message, which is a response if it begins like one; *in moves behind it. `bodyless` is
 * for the answer to HEAD; `ended` says that the sender ended cleanly behind all this. False when
 * there is no complete head.
 */
bool wire_next(struct slice *in, bool bodyless, bool ended, struct message *m);

/* The value of a field, or the empty slice. */
struct slice wire_field(const struct message *m, const char *name);

/* The status of a response, 0 of a request. */
unsigned wire_status(const struct message *m);

#endif
