/*
 * check: runs the loader once and prints the outcome. Promises that what it calls good also loads
 * in a worker: the loader does both.
 */
#include "process/check.h"

#include "base/output.h"
#include "process/loader.h"
#include "proxy/policy.h"

#include <stdio.h>
#include <stdlib.h>

struct check {
    struct ev_loop *loop;
    const struct cli *cli;
    struct loader loader;
    int status;
};

static void print_summary(const struct cli *cli, const struct config *config)
{
    const struct settings *s = config_settings(config);
    char text[ADDR_TEXT_MAX];
    const char *comma = "";
    printf("%s: ok: listens on ", cli->policy);
    for (size_t i = 0; i < s->listener_count; i++)
        printf("%s%s", i > 0 ? ", " : "", addr_text(&s->listeners[i], text));
    printf(s->upstream_count == 0 ? "; no upstreams" : "; upstreams ");
    for (size_t i = 0; i < s->upstream_count; i++)
        printf("%s%s", i > 0 ? ", " : "", s->upstreams[i].name);
    printf(config_hooks(config) == 0 ? "; no hooks" : "; hooks ");
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        if ((config_hooks(config) & 1u << hook) == 0)
            continue;
        printf("%s%s", comma, policy_hook_name((enum policy_hook)hook));
        comma = ", ";
    }
    printf("\n");
}

static void on_loaded(void *arg, struct config *config, struct slice errors)
{
    struct check *check = arg;
    if (config != NULL) {
        print_summary(check->cli, config);
        config_close(config);
        check->status = output_end(EXIT_SUCCESS);
    } else {
        fprintf(stderr, "%.*s\n", SLICE_ARG(errors));
    }
    ev_break(check->loop, EVBREAK_ALL);
}

int check_run(const struct cli *cli)
{
    struct check check = {.cli = cli, .status = EXIT_FAILURE};
    char why[256];
    check.loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    if (check.loop == NULL) {
        fprintf(stderr, "interim: cannot make an event loop\n");
        return EXIT_FAILURE;
    }
    loader_init(&check.loader, check.loop, cli, on_loaded, &check);
    if (loader_start(&check.loader, why, sizeof why))
        ev_run(check.loop, 0);
    else
        fprintf(stderr, "interim: %s\n", why);
    ev_loop_destroy(check.loop);
    return check.status;
}
