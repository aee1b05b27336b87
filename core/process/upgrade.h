/*
 * upgrade: a new parent, from the program's file as it is now, beside the running one. It gets the
 * listening sockets, starts its own workers, and says when it is ready; until then nothing changes
 * here.
 */
#ifndef INTERIM_PROCESS_UPGRADE_H
#define INTERIM_PROCESS_UPGRADE_H

#include "process/ports.h"

#include <ev.h>
#include <sys/types.h>

/* From the start of the new program until it is ready. */
#define UPGRADE_SECONDS 30.0

struct upgrade {
    struct ev_loop *loop; /* the default one */
    pid_t pid;            /* 0: none is under way */
    int fd;
    bool late;
    char why[256]; /* what came in place of being ready */
    struct ev_io io;
    struct ev_child child;
    struct ev_timer timer;
    /* Once for every start, from the loop: the new parent, or 0 and why there is none. */
    void (*over)(void *arg, pid_t pid, const char *why);
    void *arg;
};

void upgrade_init(struct upgrade *u, struct ev_loop *loop,
                  void (*over)(void *arg, pid_t pid, const char *why), void *arg);

/* Executes argv[0] anew with the same words. False with a message: no `over` then. */
bool upgrade_start(struct upgrade *u, char *const argv[], const struct ports *ports,
                   const struct ports *admin, char *why, size_t why_size);

/* Kills the new parent, if there is one that is not ready yet; no `over` then. */
void upgrade_cancel(struct upgrade *u);

#endif
