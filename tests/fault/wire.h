/*
 * wire: reads messages of HTTP/1.1 strictly, and owes nothing to the code under test.
 */
#ifndef INTERIM_TESTS_FAULT_WIRE_H
#define INTERIM_TESTS_FAULT_WIRE_H

#include "base/slice.h"

struct message {
    const char *bad;    /* what is wrong with its head; NULL */
    const char *broken; /* what is wrong with its body, which ends there; NULL */
    struct slice line;  /* the first */
    struct slice head;  /* all of it */
    struct slice body;  /* without its framing, as far as it came */
    bool framed;        /* it says that it has a body */
    bool whole;         /* and this is all of it */
};

/* What is left to read, and where bodies that come in chunks are put together. */
struct wire {
    struct slice in;
    bool ended; /* the sender ended cleanly behind all this */
    char *room;
    size_t room_len;
};

/*
 * The next message, which is a response if it begins like one; w->in moves behind it. `bodyless` is
 * for the answer to HEAD. False when there is no complete head.
 */
bool wire_next(struct wire *w, bool bodyless, struct message *m);

/* The value of a field, or the empty slice; and how many there are of that name. */
struct slice wire_field(const struct message *m, const char *name);
size_t wire_field_count(const struct message *m, const char *name);

/* Behind the header of the PROXY protocol, if it begins with a whole one. */
struct slice wire_skip_proxy_header(struct slice in);

/* The status of a response, 0 of a request. */
unsigned wire_status(const struct message *m);

#endif
