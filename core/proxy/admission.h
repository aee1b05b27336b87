/*
 * admission: which clients a worker takes: limits.connections in all workers together, each with
 * its share of them, and limits.connections_per_address.
 *
 * At the first, a client that is idle yields to a new one; if none is idle, accepting rests, and
 * new ones wait in the kernel's queue or are taken by another worker. Over the second, a client
 * gets 503.
 */
#ifndef INTERIM_PROXY_ADMISSION_H
#define INTERIM_PROXY_ADMISSION_H

#include "net/listener.h"

struct client;
struct proxy;

/* For a listener whose owner is a struct proxy: see there. */
bool admission_room(struct listener *l);
void admission_paused(struct listener *l, int error);
void admission_accepted(struct listener *l, int fd, const struct addr *peer);

/* Counts a client at its address, once that is known; one too many there is answered 503. */
void admission_count(struct client *c);

/* A client has left or become idle, or the limits have changed: there may be room again. */
void admission_review(struct proxy *p);

#endif
