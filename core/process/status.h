/*
 * status: what the parent says of the whole: in the log when it is ready and when it is asked for
 * counters, and to the service manager.
 */
#ifndef INTERIM_PROCESS_STATUS_H
#define INTERIM_PROCESS_STATUS_H

#include "process/crew.h"
#include "process/notify.h"
#include "process/reload.h"

void status_log_ready(const struct cli *cli, const struct crew *crew);

/* One line: `stats`, and the counters of all workers and of the parent as JSON. */
void status_log_stats(const struct crew *crew, const struct reload *reload);

/* At the end: how many lines of the access log nobody took, if any. */
void status_log_lost(const struct crew *crew);

/* That the service is up; `news` is a sentence or "". */
void status_notify(struct notify *notify, const struct crew *crew, const char *news);

#endif
