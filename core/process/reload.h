/*
 * reload: from one generation to the next, in two phases: all workers load it, then all switch; or
 * none does and everything stays.
 *
 *     IDLE -> LOADING     the loader reads the file              failed: IDLE
 *          -> PREPARING   ports bound, the workers load it,
 *                         one after another                      failed, died, silent: abort, IDLE
 *          -> COMMITTING  every worker switches                  died, silent: goes on without it
 *          -> IDLE
 *
 * A silent worker is killed. Whoever dies is replaced by one of the generation that won.
 */
#ifndef INTERIM_PROCESS_RELOAD_H
#define INTERIM_PROCESS_RELOAD_H

#include "process/crew.h"
#include "process/loader.h"

/* Seconds that a worker has to load it, and all have to switch. */
#define RELOAD_SECONDS 10.0

enum reload_phase { RELOAD_IDLE, RELOAD_LOADING, RELOAD_PREPARING, RELOAD_COMMITTING };

struct reload {
    enum reload_phase phase;
    bool again; /* asked for while one was under way */
    uint32_t serial;
    unsigned told;  /* PREPARING: the workers up to this one */
    uint64_t begun; /* how many were, those that could not even begin included */
    uint64_t succeeded, failed;
    bool last_ok;    /* how the last one ended */
    double last_end; /* and when, in seconds since 1970; 0: there was none */
    struct ev_loop *loop;
    const struct cli *cli;
    struct crew *crew;
    struct crew_generation *current; /* the owner's; replaced when a reload commits */
    struct crew_generation next;     /* PREPARING; COMMITTING: the one that went out of use */
    struct loader loader;
    struct ev_timer timer;
    /* Once for each that began: the text says what became of it, in one line or more. */
    void (*over)(void *arg, bool ok, const char *text);
    void *arg;
};

void reload_init(struct reload *r, struct ev_loop *loop, const struct cli *cli, struct crew *crew,
                 struct crew_generation *current,
                 void (*over)(void *arg, bool ok, const char *text), void *arg);

/* Starts one, or notes that another is wanted once the one under way is over. Whichever it is, it
 * will be number `begun` + 1. */
void reload_request(struct reload *r);

/* What the crew's events bring. */
void reload_answer(struct reload *r, struct crew_worker *worker,
                   const struct control_message *message);
void reload_died(struct reload *r, struct crew_worker *worker);

/* Gives up whatever is under way: the process is about to end. */
void reload_cancel(struct reload *r);

#endif
