/*
 * fault: what is wrong with a message, as a value.
 *
 * `status` is what a client is answered with (for a response of an origin: always 502), `why` a
 * short English phrase without a full stop that names the broken rule, for the log. A status of 0
 * means that nothing is wrong. `why` is a string literal and lives for ever.
 */
#ifndef INTERIM_HTTP_FAULT_H
#define INTERIM_HTTP_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct fault {
    int status;
    const char *why;
};

static inline struct fault fault_none(void)
{
    return (struct fault){0, NULL};
}

static inline struct fault fault_of(int status, const char *why)
{
    return (struct fault){status, why};
}

static inline bool fault_is(struct fault f)
{
    return f.status != 0;
}

#endif
