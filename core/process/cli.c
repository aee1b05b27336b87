/*
 * cli: reads the command line. Owns the words that it may hold and the help text that explains
 * them, so that the two stand side by side. What comes out goes to main, which runs the command.
 */
#include "process/cli.h"

#include "base/words.h"

#include <stdio.h>
#include <string.h>

const char cli_help[] =
    "interim - an HTTP proxy that forwards every interim response and asks Lua what to do\n"
    "\n"
    "Usage:\n"
    "  interim [run] POLICY [--workers N] [--allow NAMES] [--log-level LEVEL]\n"
    "  interim --listen ADDRESS --upstream ADDRESS [--workers N] [--log-level LEVEL]\n"
    "  interim check POLICY [--allow NAMES]\n"
    "  interim reload [PID]\n"
    "  interim upgrade [PID]\n"
    "  interim status [PID | ADDRESS] [--json]\n"
    "  interim top [PID | ADDRESS]\n"
    "  interim try POLICY METHOD PATH [-H FIELD]... [--allow NAMES] [--json]\n"
    "  interim test [FILE]... [--allow NAMES] [--json | --tap]\n"
    "  interim types [--output FILE]\n"
    "\n"
    "Commands:\n"
    "  run POLICY     run in the foreground under a policy file; `run` may be left out\n"
    "  check POLICY   load and check a policy file, then exit: 0 if it is good, 1 with the errors\n"
    "  reload         have a running interim read its policy again, wait, print how that went; "
    "exit\n"
    "                 with 0 if it took the policy over, with 1 if it kept the old one. PID is "
    "the\n"
    "                 parent's process id; needed where several run\n"
    "  upgrade        likewise, have it start the program's file anew and hand over to that\n"
    "  status         print how a running interim is, as its admin listener tells\n"
    "  top            the same as a live view, every second, until q is pressed\n"
    "  try POLICY     ask a policy's hooks about one request, and print what each decides\n"
    "  test           run the policy tests in FILEs, or in all *_test.lua below this folder\n"
    "  types          print what a Lua language server needs to know to check policies\n"
    "  help           this text; status, top, try, test and types have a --help of their own\n"
    "\n"
    "Options:\n"
    "  --listen ADDRESS     without a policy: accept clients here; may be given several times\n"
    "  --upstream ADDRESS   without a policy: pass requests on to here; several take turns\n"
    "  --workers N          worker processes; otherwise what the policy says, or one per CPU\n"
    "  --allow NAMES        let the policy use what is kept from it otherwise, and its workers "
    "run\n"
    "                       without the filter of system calls: io, os, ffi, jit, debug, load,\n"
    "                       separated by commas. A policy that uses them can do anything\n"
    "  --log-level LEVEL    debug, info, warning or error; otherwise info\n"
    "  --version            print the version\n"
    "  --help               print this text\n"
    "\n"
    "An ADDRESS is 127.0.0.1:8080, [::1]:8080, name:8080 or unix:/path; to listen, a port alone\n"
    "means all addresses. The access log goes to standard output, all else to standard error.\n"
    "\n"
    "Signals, to the parent process:\n"
    "  HUP    read the policy again: all workers switch to it, or none does\n"
    "  TERM   stop accepting, finish what is under way, exit; a second one stops at once\n"
    "  INT    stop at once\n"
    "  USR1   log one line of counters, `stats {...}` (level info)\n"
    "  USR2   start the program's file anew, hand the listening sockets over to it, then as TERM\n"
    "\n"
    "Examples:\n"
    "  interim --listen 127.0.0.1:8080 --upstream 127.0.0.1:9000\n"
    "  interim check policy.lua && interim policy.lua\n"
    "  interim run policy.lua --workers 2 --log-level debug\n"
    "  interim check policy.lua && interim reload\n"
    "  interim try policy.lua PUT /up -H 'Expect: 100-continue' -H 'Content-Length: 10'\n"
    "\n"
    "Exit status: 0 after a stop that was asked for, 1 when what was asked for failed, 2 when the\n"
    "command line was wrong.\n";

static bool refuse_word(char *message, const char *what, const char *word, const char *const *known)
{
    char hint[WORDS_HINT_MAX];
    size_t count = 0;
    while (known[count] != NULL)
        count++;
    snprintf(message, CLI_MESSAGE_MAX, "unknown %s \"%.100s\"%s", what, word,
             words_hint(hint, sizeof hint, slice_of_string(word), known, count));
    return false;
}

static bool refuse(char *message, const char *text)
{
    snprintf(message, CLI_MESSAGE_MAX, "%s", text);
    return false;
}

static bool read_workers(struct cli *cli, const char *value, char *message)
{
    uint64_t n;
    if (!slice_to_number(slice_of_string(value), &n) || n < 1 || n > SETTINGS_WORKERS) {
        snprintf(message, CLI_MESSAGE_MAX, "--workers takes a number from 1 to %d, not \"%.100s\"",
                 SETTINGS_WORKERS, value);
        return false;
    }
    cli->workers = (unsigned)n;
    return true;
}

static bool read_log_level(struct cli *cli, const char *value, char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error", NULL};
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], value) == 0) {
            cli->log_level = (enum log_level)i;
            return true;
        }
    }
    return refuse_word(message, "log level", value, names);
}

static bool read_option(struct cli *cli, const char *name, const char *value, char *message)
{
    if (strcmp(name, "--workers") == 0)
        return read_workers(cli, value, message);
    if (strcmp(name, "--log-level") == 0)
        return read_log_level(cli, value, message);
    if (strcmp(name, "--allow") == 0)
        return settings_read_allow(slice_of_string(value), &cli->allow, message, CLI_MESSAGE_MAX);
    if (strcmp(name, "--listen") == 0) {
        if (cli->listen_count == SETTINGS_LISTENERS)
            return refuse(message, "too many --listen");
        cli->listen[cli->listen_count++] = value;
    } else {
        if (cli->upstream_count == SETTINGS_ADDRESSES)
            return refuse(message, "too many --upstream");
        cli->upstream[cli->upstream_count++] = value;
    }
    return true;
}

/* Reads argv[*i], an option, and its value, which may be the next argument. */
static bool take_option(struct cli *cli, int argc, char *const argv[], int *i, char *message)
{
    static const char *const valued[] = {"--listen", "--upstream",  "--workers",
                                         "--allow",  "--log-level", NULL};
    static const char *const known[] = {"--listen",    "--upstream", "--workers", "--allow",
                                        "--log-level", "--help",     "--version", NULL};
    const char *arg = argv[*i];
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        cli->command = CLI_HELP;
        return true;
    }
    if (strcmp(arg, "--version") == 0) {
        cli->command = CLI_VERSION;
        return true;
    }
    for (const char *const *name = valued; *name != NULL; name++) {
        size_t len = strlen(*name);
        if (strncmp(arg, *name, len) != 0)
            continue;
        if (arg[len] == '=')
            return read_option(cli, *name, arg + len + 1, message);
        if (arg[len] != '\0')
            continue;
        if (*i + 1 == argc) {
            snprintf(message, CLI_MESSAGE_MAX, "%s needs a value", *name);
            return false;
        }
        return read_option(cli, *name, argv[++*i], message);
    }
    return refuse_word(message, "option", arg, known);
}

/* A tool reads all words behind its name by itself. */
static bool take_tool(struct cli *cli, int argc, char *const argv[])
{
    static const struct {
        const char *name;
        enum cli_command command;
    } tools[] = {{"status", CLI_STATUS},
                 {"top", CLI_TOP},
                 {"try", CLI_TRY},
                 {"test", CLI_TEST},
                 {"types", CLI_TYPES}};
    for (size_t i = 0; argc > 1 && i < sizeof tools / sizeof tools[0]; i++) {
        if (strcmp(argv[1], tools[i].name) != 0)
            continue;
        cli->command = tools[i].command;
        cli->tool_argc = argc - 2;
        cli->tool_argv = argv + 2;
        return true;
    }
    return false;
}

/* `reload` and `upgrade`, with or without a process id behind them. */
static bool read_asking(struct cli *cli, const char *const *words, size_t count, char *message)
{
    uint64_t pid;
    cli->command = words[0][0] == 'r' ? CLI_RELOAD : CLI_UPGRADE;
    if (count == 1)
        return true;
    if (count > 2 || !slice_to_number(slice_of_string(words[1]), &pid) || pid < 1 ||
        pid > INT32_MAX) {
        snprintf(message, CLI_MESSAGE_MAX,
                 "%s takes the process id of a running interim, not \"%.100s\"", words[0],
                 words[count > 2 ? 2 : 1]);
        return false;
    }
    cli->pid = (int)pid;
    return true;
}

/* The words that are no options: a command and a policy, or a policy alone. */
static bool read_words(struct cli *cli, const char *const *words, size_t count, char *message)
{
    static const char *const commands[] = {"run", "check", "reload", "upgrade", "status", "top",
                                           "try", "test",  "types",  "help",    NULL};
    if (count == 0)
        return true;
    const char *first = words[0];
    if (strcmp(first, "help") == 0) {
        cli->command = CLI_HELP;
        return true;
    }
    if (strcmp(first, "reload") == 0 || strcmp(first, "upgrade") == 0)
        return read_asking(cli, words, count, message);
    bool check = strcmp(first, "check") == 0;
    if (check || strcmp(first, "run") == 0) {
        if (count < 2) {
            snprintf(message, CLI_MESSAGE_MAX, "%s needs a policy file: interim %s policy.lua",
                     first, first);
            return false;
        }
        cli->command = check ? CLI_CHECK : CLI_RUN;
        words++;
        count--;
    } else if (strpbrk(first, "./") == NULL) {
        /* A file whose name looks like a command can be given as ./name. */
        for (const char *const *name = commands; *name != NULL; name++)
            if (strcmp(first, *name) == 0)
                return refuse(message,
                              "status, top, try, test and types come first, before any option");
        return refuse_word(message, "command", first, commands);
    }
    if (count > 1) {
        snprintf(message, CLI_MESSAGE_MAX, "one policy file is enough: what is \"%.100s\"?",
                 words[1]);
        return false;
    }
    cli->policy = words[0];
    return true;
}

static bool check_combination(const struct cli *cli, char *message)
{
    bool addressed = cli->listen_count != 0 || cli->upstream_count != 0;
    if (cli->command == CLI_HELP || cli->command == CLI_VERSION)
        return true;
    if (cli->command == CLI_RELOAD || cli->command == CLI_UPGRADE) {
        if (addressed || cli->workers != 0 || cli->allow != 0)
            return refuse(message, "options are for starting: what runs is only asked");
        return true;
    }
    if (cli->policy != NULL && addressed)
        return refuse(message, "--listen and --upstream are for running without a policy file: "
                               "write `listen` and `upstreams` there");
    if (cli->command == CLI_CHECK && cli->workers != 0)
        return refuse(message, "--workers is for running, not for check");
    if (cli->policy != NULL)
        return true;
    if (cli->allow != 0)
        return refuse(message, "--allow is for a policy file: there is none");
    if (!addressed)
        return refuse(message, "a policy file is needed, or --listen and --upstream");
    if (cli->listen_count == 0)
        return refuse(message, "--listen is missing: where to accept clients");
    if (cli->upstream_count == 0)
        return refuse(message, "--upstream is missing: where to pass requests on to");
    return true;
}

bool cli_parse(struct cli *out, int argc, char *const argv[], char message[CLI_MESSAGE_MAX])
{
    const char *words[3];
    size_t count = 0;
    bool options = true;
    *out = (struct cli){.command = CLI_RUN, .log_level = LOG_INFO, .argv = argv};
    if (take_tool(out, argc, argv))
        return true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-') {
            if (!take_option(out, argc, argv, &i, message))
                return false;
            /* Whoever asks for help gets it, whatever else the line holds. */
            if (out->command != CLI_RUN)
                return true;
        } else if (count < 3) {
            words[count++] = argv[i];
        }
    }
    return read_words(out, words, count, message) && check_combination(out, message);
}
