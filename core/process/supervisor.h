/*
 * supervisor: the parent process. It binds, forks, watches, reloads and stops; it never reads from
 * the network and never runs a policy.
 */
#ifndef INTERIM_PROCESS_SUPERVISOR_H
#define INTERIM_PROCESS_SUPERVISOR_H

#include "process/cli.h"

/* Runs until stopped. The exit status: 0 after a stop that was asked for, 1 when it cannot start,
 * EXIT_USAGE when an address on the command line is none. */
int supervisor_run(const struct cli *cli);

#endif
