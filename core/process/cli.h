/*
 * cli: what the command line asks for.
 *
 * A pure function from arguments to a struct: it opens no file, prints nothing and ends nothing.
 */
#ifndef INTERIM_PROCESS_CLI_H
#define INTERIM_PROCESS_CLI_H

#include "base/log.h"
#include "proxy/settings.h"

#define EXIT_USAGE 2 /* beside EXIT_FAILURE: the command line was wrong */

enum cli_command {
    CLI_RUN,
    CLI_CHECK,
    CLI_RELOAD,
    CLI_UPGRADE,
    CLI_STATUS,
    CLI_TOP,
    CLI_TRY,
    CLI_TEST,
    CLI_TYPES,
    CLI_VERSION,
    CLI_HELP
};

/* All strings borrow from argv. */
struct cli {
    enum cli_command command;
    const char *policy; /* NULL: run with the built-in defaults, by listen and upstream below */
    const char *listen[SETTINGS_LISTENERS];
    size_t listen_count;
    const char *upstream[SETTINGS_ADDRESSES];
    size_t upstream_count;
    unsigned workers; /* 0: what the policy says */
    unsigned allow;   /* bits of settings_allow_bit */
    enum log_level log_level;
    int pid;           /* CLI_RELOAD, CLI_UPGRADE: of the parent to ask; 0: the only one */
    char *const *argv; /* all of it, for the parent's successor */
    int tool_argc;     /* STATUS, TOP, TRY, TEST, TYPES: the words behind it, read by the command */
    char *const *tool_argv;
};

#define CLI_MESSAGE_MAX 256

/* False when the arguments make no sense; `message` says why and, where it can, what was meant. */
bool cli_parse(struct cli *out, int argc, char *const argv[], char message[CLI_MESSAGE_MAX]);

/* What `interim --help` prints. */
extern const char cli_help[];

#endif
