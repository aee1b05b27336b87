/*
 * main: from the command line to the command. A request's way begins in supervisor, which starts
 * the workers.
 */
#include "base/output.h"
#include "process/ask.h"
#include "process/check.h"
#include "process/cli.h"
#include "process/look.h"
#include "process/supervisor.h"
#include "proxy/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Were one of these closed, the first socket would get its number, and log lines with it. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char *argv[])
{
    static struct cli cli;
    char message[CLI_MESSAGE_MAX];
    fill_standard_descriptors();
    if (!cli_parse(&cli, argc, argv, message)) {
        fprintf(stderr, "interim: %s\nTry `interim --help`.\n", message);
        return EXIT_USAGE;
    }
    switch (cli.command) {
    case CLI_HELP:
        fputs(cli_help, stdout);
        return output_end(EXIT_SUCCESS);
    case CLI_VERSION:
        printf("interim %s\n", INTERIM_VERSION);
        return output_end(EXIT_SUCCESS);
    case CLI_CHECK:
        return check_run(&cli);
    case CLI_RELOAD:
    case CLI_UPGRADE:
        return ask_run(&cli);
    case CLI_STATUS:
    case CLI_TOP:
        return look_run(&cli);
    case CLI_TRY:
        return policy_engine.try(cli.tool_argc, cli.tool_argv);
    case CLI_TEST:
        return policy_engine.test(cli.tool_argc, cli.tool_argv);
    case CLI_TYPES:
        return policy_engine.types(cli.tool_argc, cli.tool_argv);
    case CLI_RUN:
        break;
    }
    return supervisor_run(&cli);
}
