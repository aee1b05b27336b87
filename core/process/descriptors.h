/*
 * descriptors: whether a worker has enough of them for the clients that limits.connections allows.
 */
#ifndef INTERIM_PROCESS_DESCRIPTORS_H
#define INTERIM_PROCESS_DESCRIPTORS_H

#include "proxy/settings.h"

/* As many descriptors as the hard limit allows. Children inherit it. */
void descriptors_raise(void);

/* How many clients a worker with these settings has descriptors for: each takes one for itself and
 * one for its origin. At least 1. */
size_t descriptors_clients(const struct settings *settings);

/* How many pipes a worker may have beside them. */
size_t descriptors_pipes(void);

/* Says so in the log if that is less than a worker's share of limits.connections. */
void descriptors_check(const struct settings *settings);

#endif
