/*
 * census: how many connections each address of a client has open, in one worker.
 *
 * IPv6 counts by /64, which is what one customer commonly has; IPv4 mapped into IPv6 counts as
 * IPv4; ports do not matter.
 */
#ifndef INTERIM_NET_CENSUS_H
#define INTERIM_NET_CENSUS_H

#include "net/addr.h"

struct census {
    void *tree; /* of struct household, by address; NULL: nobody */
};

/* One address, for as long as it has a connection. */
struct household {
    unsigned char address[16]; /* as in IPv6; the last eight bytes zero for a /64 */
    size_t count;
};

/* Counts one connection more of an address (not of a unix socket). NULL: no memory. */
struct household *census_enter(struct census *c, const struct addr *peer);

/* And one less. */
void census_leave(struct census *c, struct household *h);

#endif
