/*
 * look: finds the admin listener, gets what it tells and shows it, once or again and again.
 */
#include "process/look.h"

#include "base/output.h"
#include "base/sys.h"
#include "process/ask.h"
#include "process/fetch.h"
#include "process/overview.h"
#include "process/screen.h"
#include "process/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct look {
    bool top;
    bool json;
    int pid; /* 0: the only one */
    const char *address;
    struct addr from;
    char why[256]; /* nothing came from there */
};

static const char help[] =
    "Usage:\n"
    "  interim status [PID | ADDRESS] [--json]\n"
    "  interim top [PID | ADDRESS]\n"
    "\n"
    "Shows how a running interim is: status once, in totals since its start; top anew every\n"
    "second, in what passed since the last time, until q is pressed. What is shown comes from the\n"
    "admin listener, which the policy has to ask for: admin = \"127.0.0.1:9901\".\n"
    "\n"
    "  PID      the parent's process id; needed where several run\n"
    "  ADDRESS  that of the admin listener: 127.0.0.1:9901, name:9901 or unix:/path\n"
    "  --json   print what the listener has at /status\n"
    "\n"
    "Without a terminal top prints once, what passed in one second.\n";

/* False: *status is the exit status. */
static bool read_words(struct look *look, const struct cli *cli, int *status)
{
    uint64_t pid;
    look->top = cli->command == CLI_TOP;
    *status = EXIT_USAGE;
    for (int i = 0; i < cli->tool_argc; i++) {
        const char *word = cli->tool_argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            fputs(help, stdout);
            *status = output_end(EXIT_SUCCESS);
            return false;
        }
        if (strcmp(word, "--json") == 0 && !look->top) {
            look->json = true;
        } else if (word[0] == '-' || look->pid != 0 || look->address != NULL) {
            fprintf(stderr, "interim: what is \"%.100s\"?\nTry `interim %s --help`.\n", word,
                    look->top ? "top" : "status");
            return false;
        } else if (slice_to_number(slice_of_string(word), &pid) && pid > 0 && pid < INT32_MAX) {
            look->pid = (int)pid;
        } else {
            look->address = word;
        }
    }
    return true;
}

/* The exit status, if it is not EXIT_SUCCESS. */
static int find_listener(struct look *look)
{
    char text[ASK_TEXT_MAX], why[256];
    bool given = look->address != NULL;
    if (!given) {
        if (!ask_parent(look->pid, look->top ? "top" : "status", "admin", text, sizeof text))
            return EXIT_FAILURE;
        look->address = text;
    }
    bool found =
        addr_parse(slice_of_string(look->address), false, &look->from, 1, why, sizeof why) > 0;
    if (!found) {
        fprintf(stderr, "interim: ");
        output_foreign(stderr, why);
        fprintf(stderr, "\n");
    }
    look->address = NULL;
    if (found)
        return EXIT_SUCCESS;
    return given ? EXIT_USAGE : EXIT_FAILURE;
}

/* A listener has nothing but lines of ASCII to say; whatever else answers must not speak to the
 * terminal. */
static void make_plain(struct buf *text)
{
    for (size_t i = text->start; i < text->end; i++) {
        if (text->data[i] != '\n' && (text->data[i] < ' ' || text->data[i] > '~'))
            text->data[i] = '?';
    }
}

static bool get(struct look *look, const char *path, struct buf *out)
{
    buf_init(out, OVERVIEW_TEXT_MAX);
    if (fetch(&look->from, path, out, look->why, sizeof look->why)) {
        make_plain(out);
        return true;
    }
    buf_free(out);
    return false;
}

static int fail(const struct look *look)
{
    char address[ADDR_TEXT_MAX];
    fprintf(stderr, "interim: ");
    output_foreign(stderr, addr_text(&look->from, address));
    fprintf(stderr, ": ");
    output_foreign(stderr, look->why);
    fprintf(stderr, "\n");
    return EXIT_FAILURE;
}

static bool get_sample(struct look *look, struct sample *out)
{
    struct buf text;
    return get(look, "/metrics", &text) && sample_read(out, &text);
}

static int print(struct buf *text)
{
    fwrite(buf_slice(text).at, 1, buf_len(text), stdout);
    buf_free(text);
    return output_end(EXIT_SUCCESS);
}

static int show_json(struct look *look)
{
    struct buf text;
    return get(look, "/status", &text) ? print(&text) : fail(look);
}

static void write_view(struct buf *out, const struct sample *now, const struct sample *before,
                       double seconds)
{
    const struct view view = {now, before, seconds, sys_realtime()};
    buf_init(out, OVERVIEW_TEXT_MAX);
    view_write(out, &view);
}

static int show_once(struct look *look)
{
    struct sample now;
    struct buf text;
    if (!get_sample(look, &now))
        return fail(look);
    write_view(&text, &now, NULL, 0);
    sample_free(&now);
    return print(&text);
}

/* What passed since *before, which becomes what is now. False: nothing came. */
static bool next_view(struct look *look, struct sample *before, double *then, struct buf *text)
{
    struct sample now;
    if (!get_sample(look, &now))
        return false;
    double moment = sys_monotonic();
    write_view(text, &now, before, moment - *then);
    sample_free(before);
    *before = now;
    *then = moment;
    return true;
}

/* Until the user leaves, or nothing comes any more. */
static int show_on_screen(struct look *look, struct sample *before, double then)
{
    struct buf text;
    bool came = true;
    write_view(&text, before, NULL, 0);
    screen_open();
    do {
        screen_draw(buf_slice(&text));
        buf_free(&text);
    } while (screen_wait(1) && (came = next_view(look, before, &then, &text)));
    screen_close();
    return came ? EXIT_SUCCESS : fail(look);
}

static int show_again(struct look *look)
{
    struct sample before;
    struct buf text;
    double then = sys_monotonic();
    int status = EXIT_FAILURE;
    if (!get_sample(look, &before))
        return fail(look);
    if (screen_is_there())
        status = show_on_screen(look, &before, then);
    else if (usleep(1000000) == 0 && next_view(look, &before, &then, &text))
        status = print(&text);
    else
        fail(look);
    sample_free(&before);
    return status;
}

int look_run(const struct cli *cli)
{
    struct look look = {0};
    int status;
    if (!read_words(&look, cli, &status))
        return status;
    status = find_listener(&look);
    if (status != EXIT_SUCCESS)
        return status;
    if (look.json)
        return show_json(&look);
    return look.top ? show_again(&look) : show_once(&look);
}
