/*
 * trouble: why no answer comes from an origin: what each reason is called, and answered with.
 */
#ifndef INTERIM_PROXY_TROUBLE_H
#define INTERIM_PROXY_TROUBLE_H

#include "proxy/settings.h"

enum trouble {
    TROUBLE_BODY, /* the client stopped sending its body */
    TROUBLE_CONNECT,
    TROUBLE_SEND,
    TROUBLE_RESPONSE,
    TROUBLE_PROCESSING,
    TROUBLE_EXCHANGE,
    TROUBLE_REFUSED,
    TROUBLE_UNREACHABLE,
    TROUBLE_CLOSED,
    TROUBLE_BAD_RESPONSE,
    TROUBLE_NO_UPSTREAM,
    TROUBLE_COUNT
};

const char *trouble_kind(enum trouble t); /* "response": as hooks and the log see it; a literal */

int trouble_status(enum trouble t, enum statuses statuses);

/* Seconds of the timeout that it is; 0: it is no timeout, and `error` is asked, not `timeout`. */
double trouble_after(enum trouble t, const struct timeouts *timeouts);

#endif
