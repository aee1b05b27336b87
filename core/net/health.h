/*
 * health: what requests have taught about one address of an origin. Passive: nothing is sent to
 * find out. Pure: the time is an argument.
 *
 * An address that cannot be connected to rests for a second, and for twice as long after each
 * further failure in a row, up to a minute. One that takes requests and does not answer them, in
 * time or before it closes, rests in the same way from the third of them in a row on: one slow page
 * proves nothing. After the rest it is used like any other; the first response head that comes from
 * it clears its name.
 */
#ifndef INTERIM_NET_HEALTH_H
#define INTERIM_NET_HEALTH_H

#include <stdbool.h>

#define HEALTH_REST_FIRST 1.0 /* seconds */
#define HEALTH_REST_MAX   60.0
#define HEALTH_SILENCES   3 /* in a row, before they count */

/* All zero: nothing is known. */
struct health {
    unsigned rests;    /* in a row, without a response in between */
    unsigned silences; /* in a row */
    double until;      /* monotonic: the end of the latest rest */
};

/* Why an address did not serve a request. */
enum health_failure {
    HEALTH_UNREACHED, /* no connection, or not in time */
    HEALTH_SILENT     /* a request was sent, and no response came in time, or at all */
};

bool health_rests(const struct health *h, double now);

/* The seconds of the rest that begins now; 0: it goes on as before. */
double health_failed(struct health *h, enum health_failure failure, double now);

/* A response head came. True if that ends a row of rests. */
bool health_answered(struct health *h);

#endif
