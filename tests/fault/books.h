/*
 * books: what was said and heard on every connection, message by message, as wire.h reads it.
 *
 * A dialogue is one connection. What a client asked is what it said, what it was answered is what
 * it heard; with an origin it is the other way round.
 */
#ifndef INTERIM_TESTS_FAULT_BOOKS_H
#define INTERIM_TESTS_FAULT_BOOKS_H

#include "stage.h"
#include "wire.h"

#define ENTRIES_MAX 640

struct entry {
    struct message m;
    struct slice method, target; /* of a request; the target in origin-form */
    size_t question;             /* of a response: the place of its request in `asked` */
    bool unasked;                /* of a response: it was sent before that request was heard */
    struct slice after;          /* all that came behind it */
};

struct book {
    struct entry entries[ENTRIES_MAX];
    size_t count;
    const char *bad;   /* why nothing behind the last entry could be read, or NULL */
    struct slice rest; /* what stands there: a beginning, or for another protocol */
};

struct dialogue {
    struct book asked, answered;
    bool deaf; /* the origin may have been asked more than it heard */
};

struct books {
    struct dialogue clients[CLIENTS], origins[ORIGINS];
    size_t client_count, origin_count;
};

/* The one pair of books; they borrow from the stage. NULL: more was said than they hold, or than
 * the stage heard. */
const struct books *books_of(const struct stage *s);

/* Whether a client that asked one has an origin that was asked the other. */
bool entry_same_request(const struct entry *a, const struct entry *b);

bool entry_method_is(const struct entry *e, const char *method);

#endif
