/*
 * ask: `interim reload` and `interim upgrade`: asks a running parent, waits, prints how it went.
 */
#ifndef INTERIM_PROCESS_ASK_H
#define INTERIM_PROCESS_ASK_H

#include "process/cli.h"
#include "process/desk.h"

#define ASK_TEXT_MAX DESK_TEXT_MAX

/*
 * Sends one word to the parent `pid`, or to the only interim that runs (0), and waits. True with
 * the answer, as it came, if it went well; else false, with the reason on stderr. `command` is what
 * to write before a process id where several run.
 */
bool ask_parent(int pid, const char *command, const char *word, char *text, size_t size);

/*
 * Asks process cli->pid, or the only interim that runs. Returns the exit status: 0 when it went
 * well, with the outcome on stdout; else 1, with the reason on stderr.
 */
int ask_run(const struct cli *cli);

#endif
