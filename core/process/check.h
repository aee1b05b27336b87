/*
 * check: `interim check`, which loads a policy as a start would and says how that went.
 */
#ifndef INTERIM_PROCESS_CHECK_H
#define INTERIM_PROCESS_CHECK_H

#include "process/cli.h"

/*
 * Prints "policy.lua: ok: " and what it holds on stdout, or one error per line on stderr. Returns
 * the exit status: 0 or 1.
 */
int check_run(const struct cli *cli);

#endif
