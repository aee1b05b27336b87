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
    void *tree; /* of addresses and their counts; NULL: nobody */
};

/* Counts one connection more of an address (not of a unix socket), and gives how many it has then.
 * 0: no memory, and it is not counted. */
size_t census_enter(struct census *c, const struct addr *peer);

/* And one less, of an address that was counted. */
void census_leave(struct census *c, const struct addr *peer);

#endif
