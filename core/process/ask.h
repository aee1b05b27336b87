/*
 * ask: `interim reload` and `interim upgrade`: asks a running parent, waits, prints how it went.
 */
#ifndef INTERIM_PROCESS_ASK_H
#define INTERIM_PROCESS_ASK_H

#include "process/cli.h"

/*
 * Asks process cli->pid, or the only interim that runs. Returns the exit status: 0 when it went
 * well, with the outcome on stdout; else 1, with the reason on stderr.
 */
int ask_run(const struct cli *cli);

#endif
