/*
 * metrics: the same as in overview, in the text form that Prometheus reads (version 0.0.4).
 *
 * Names begin with interim_, counters end in _total, times are seconds.
 */
#ifndef INTERIM_PROCESS_METRICS_H
#define INTERIM_PROCESS_METRICS_H

#include "process/overview.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `out` has room for OVERVIEW_TEXT_MAX. */
void metrics_write(struct buf *out, const struct overview *o);

#endif
