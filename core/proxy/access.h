/*
 * access: the access log, one line per exchange, as text or as JSON.
 *
 * Lines are gathered and written together, at the latest a moment after they were made. While
 * nobody takes them they wait, up to a limit; beyond it the worker waits for a reader that is slow,
 * a tenth of its time at most, and not for one that stands still: new lines are lost then, whole,
 * and counted.
 */
#ifndef INTERIM_PROXY_ACCESS_H
#define INTERIM_PROXY_ACCESS_H

#include "base/sys.h"
#include "net/deadline.h"
#include "proxy/policy.h"
#include "proxy/stats.h"

struct access {
    int fd;
    enum sys_taker taker;
    bool blocked;                /* it takes no more for now */
    bool stalled;                /* and has not for a while */
    bool torn;                   /* what it took last was a part of a line */
    double waited, waited_since; /* milliseconds, in the second that began then */
    struct buf lines;
    struct deadline flush;
    struct stats *stats;
    int64_t second; /* of `time` */
    char time[32];  /* of the latest line */
};

void access_init(struct access *a, struct net *net, int fd, struct stats *stats);

/* Writes what is left, for as long as it is taken. */
void access_free(struct access *a);

/* Adds a line about an exchange that is over; its view has `result` set. */
void access_add(struct access *a, enum log_form form, const struct policy_view *view);

#endif
