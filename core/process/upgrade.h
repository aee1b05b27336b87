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
/* What one that is sent away has between two signals, each harsher than the one before. */
#define UPGRADE_LEAVE_SECONDS 2.0

struct upgrade {
    struct ev_loop *loop; /* the default one */
    pid_t pid;            /* 0: none is under way */
    int fd;
    bool given_up;  /* it is only awaited to be gone */
    size_t parting; /* then: which signal it got last */
    char why[256];  /* what came in place of being ready */
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

/* Sends the new parent away, if there is one: it has `seconds` to finish what clients have begun
 * with it; with 0 it stops at once. `over` comes once it is gone. A second call may only hurry it.
 */
void upgrade_cancel(struct upgrade *u, double seconds);

#endif
