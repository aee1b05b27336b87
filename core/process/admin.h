/*
 * admin: the process behind the admin listener, as the parent sees it. It is forked beside the
 * workers, under the same confinement, and replaced when it dies. What it shows it reads from
 * memory: the workers' counters, and the board, on which the parent writes; see admin_server.
 */
#ifndef INTERIM_PROCESS_ADMIN_H
#define INTERIM_PROCESS_ADMIN_H

#include "process/board.h"
#include "process/desk.h"

struct admin {
    struct crew *crew;
    const struct reload *reload;
    struct board *board;
    pid_t pid;         /* 0: there is none */
    int control;       /* -1: there is none */
    unsigned failures; /* deaths in a row, each soon after its fork */
    double forked;
    double asked;           /* monotonic: when it last wanted a LIST */
    struct ev_prepare post; /* what the loop has done is on the board before it sleeps */
    struct ev_io io;
    struct ev_child child;
    struct ev_timer pause; /* before the next one is forked */
};

/* False: no memory for the board. */
bool admin_init(struct admin *a, struct crew *crew, const struct reload *reload);

/* A worker's answer to LIST. */
void admin_listed(struct admin *a, const struct control_message *message);

/* Forks the process for the current generation, if that has an admin listener; one that runs is
 * told to leave: it finishes what it is answering. */
void admin_start(struct admin *a);

/* Tells a visitor where the admin listener is. */
void admin_tell(const struct admin *a, struct desk_visitor *visitor);

/* It leaves, and is not replaced. */
void admin_stop(struct admin *a);

#endif
