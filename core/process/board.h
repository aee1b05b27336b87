/*
 * board: what the parent knows and others may read, in memory that it shares: it writes a few
 * words before each sleep of its loop and is never asked.
 */
#ifndef INTERIM_PROCESS_BOARD_H
#define INTERIM_PROCESS_BOARD_H

#include "process/crew.h"
#include "process/reload.h"

enum board_state { BOARD_STARTING, BOARD_READY, BOARD_DRAINING };

struct board_worker {
    enum crew_state state;
    pid_t pid;
    double forked; /* seconds since 1970 */
};

struct board {
    enum board_state state;
    double started; /* seconds since 1970 */
    uint64_t generation;
    uint64_t reloads_ok, reloads_failed;
    bool last_reload_ok;
    double last_reload; /* seconds since 1970; 0: there was none */
    unsigned wanted;    /* workers */
    unsigned used;      /* slots, and rows below, that mean something */
    uint64_t deaths;    /* of workers, unasked */
    struct board_worker workers[CREW_MAX];
};

const char *board_state_name(enum board_state state); /* "ready" */

/* "none", "ok" or "failed" */
const char *board_last_reload(const struct board *b);

/* "working"; "empty" for a place without a process. */
const char *board_worker_state(const struct board_worker *w);

unsigned board_working(const struct board *b); /* workers that accept clients */

/* Writes all but `started`. */
void board_post(struct board *b, const struct crew *crew, const struct reload *reload);

#endif
