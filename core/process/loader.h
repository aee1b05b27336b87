/*
 * loader: reads a policy in a child process, so that nothing a policy does while it loads can harm
 * or hold up the parent.
 */
#ifndef INTERIM_PROCESS_LOADER_H
#define INTERIM_PROCESS_LOADER_H

#include "base/buf.h"
#include "process/config.h"

#include <ev.h>

/* Wall-clock seconds a policy may take to load. */
#define LOADER_SECONDS 10.0

struct loader {
    struct ev_loop *loop; /* the default one: only it watches children */
    const struct cli *cli;
    pid_t pid; /* 0: no child */
    int status;
    int config_fd;
    int errors_fd; /* -1: read to its end */
    bool late;
    struct buf errors;
    struct ev_io io;
    struct ev_child child;
    struct ev_timer timer;
    /*
     * Called once for every start, from the loop. On success `config` is sealed, mapped and the
     * callee's to close. Else it is NULL and *errors has one message per line, without a last
     * newline; borrowed for the call.
     */
    void (*done)(void *arg, struct config *config, struct slice errors);
    void *arg;
};

void loader_init(struct loader *l, struct ev_loop *loop, const struct cli *cli,
                 void (*done)(void *arg, struct config *config, struct slice errors), void *arg);

/* Starts reading cli->policy. False with a message when no child could be made: no `done` then. */
bool loader_start(struct loader *l, char *why, size_t why_size);

/* Kills the child, if there is one; no `done` then. */
void loader_cancel(struct loader *l);

#endif
