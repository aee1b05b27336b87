/*
 * look: `interim status` and `interim top`, which show what an admin listener tells.
 */
#ifndef INTERIM_PROCESS_LOOK_H
#define INTERIM_PROCESS_LOOK_H

#include "process/cli.h"

/* Reads the words behind the command (cli->tool_argv). Returns the exit status. */
int look_run(const struct cli *cli);

#endif
