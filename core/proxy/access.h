/*
 * access: the access log, one line per exchange, as text or as JSON.
 *
 * Lines are gathered and written together, at the latest a moment after they were made. Bytes that
 * are not printable ASCII are escaped, so that every line parses back whatever a client sent.
 * Fields are documented in README.md.
 */
#ifndef INTERIM_PROXY_ACCESS_H
#define INTERIM_PROXY_ACCESS_H

#include "net/deadline.h"
#include "proxy/policy.h"

struct access {
    int fd;
    struct buf lines;
    struct deadline flush;
};

void access_init(struct access *a, struct net *net, int fd);
void access_free(struct access *a); /* writes what is left */

/* Adds a line about an exchange that is over; its view has `result` set. */
void access_add(struct access *a, enum log_form form, const struct policy_view *view);

#endif
