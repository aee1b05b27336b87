/*
 * crew: the workers as the parent sees them: forked, watched, replaced when they die, told what to
 * do, and counted.
 */
#ifndef INTERIM_PROCESS_CREW_H
#define INTERIM_PROCESS_CREW_H

#include "process/control.h"
#include "process/worker.h"
#include "proxy/listing.h"

#include <ev.h>

#define CREW_MAX SETTINGS_WORKERS

/* Seconds a worker has from its fork to READY. */
#define CREW_START_SECONDS 10.0

enum crew_state {
    CREW_EMPTY,    /* no process, none wanted */
    CREW_WAITING,  /* no process; one is forked when the timer fires, or on crew_release */
    CREW_STARTING, /* forked */
    CREW_WORKING,  /* has said READY */
    CREW_LEAVING,  /* was told to drain or to stop */
};

struct crew_worker {
    struct crew *crew;
    unsigned number; /* from 1 */
    enum crew_state state;
    pid_t pid;
    int control;
    unsigned failures; /* deaths in a row, each soon after its fork */
    double forked;     /* when, by ev_now */
    bool asked;        /* an answer to the message of the reload under way is due: see reload */
    bool stopped;      /* by a signal such as SIGSTOP */
    char why[512];     /* what it said before it gave up */
    struct ev_io io;
    struct ev_child child;
    struct ev_timer timer; /* back-off, start limit or end limit, as the state has it */
};

/* What one worker writes and the parent reads, on pages of their own. */
struct crew_slot {
    _Alignas(4096) struct stats stats;
    struct pulse pulse;
    struct listing listing;
};

/* What workers are forked with: the generation in use. */
struct crew_generation {
    uint64_t number;
    struct config config;
    struct ports ports;
    struct ports admin; /* none or one; workers do not get it */
};

/* Opens both kinds of ports as the generation's settings want them; see ports_open. */
bool crew_open_ports(struct crew_generation *g, const struct ports *old, const struct ports *admin,
                     char *why, size_t why_size);

/* What the crew tells its owner, from the loop. */
struct crew_events {
    void (*ready)(void *arg); /* once: all have said READY for the first time */
    /* Before that: one of them could not start. The crew goes on only if told to. */
    void (*failed)(void *arg, const char *why);
    void (*answer)(void *arg, struct crew_worker *worker, const struct control_message *message);
    void (*died)(void *arg, struct crew_worker *worker); /* its replacement is on its way */
    void (*empty)(void *arg);                            /* after drain or stop: all are gone */
};

struct crew {
    struct ev_loop *loop; /* the default one */
    const struct crew_generation *current;
    enum log_level log_level;
    const struct crew_events *events;
    void *arg;
    unsigned size;           /* wanted */
    unsigned used;           /* slots whose workers were forked at some time */
    uint64_t deaths;         /* workers that ended unasked, and were replaced */
    bool started;            /* `ready` was told */
    bool ending;             /* nobody is replaced any more */
    bool holding;            /* nobody is forked for now */
    struct crew_slot *slots; /* CREW_MAX, each shared with its worker */
    struct crew_worker workers[CREW_MAX];
};

/* False when there is no memory for the counters. `current` may change what it points at later. */
bool crew_init(struct crew *crew, struct ev_loop *loop, const struct crew_generation *current,
               enum log_level log_level, const struct crew_events *events, void *arg);

/* Forks or drains until there are `size` workers (1 to CREW_MAX). */
void crew_resize(struct crew *crew, unsigned size);

/* Between the two, who dies is not replaced: so that a reload knows whom it has asked. */
void crew_hold(struct crew *crew);
void crew_release(struct crew *crew);

/* To one worker that starts or works. One that cannot take it is killed, and replaced. */
void crew_tell(struct crew_worker *worker, const struct control_message *message);
void crew_kill(struct crew_worker *worker);

/* True for a worker that starts or works. */
bool crew_has(const struct crew_worker *worker);

/* All workers leave; `empty` is told when they have. A second call may only hurry them. */
void crew_drain(struct crew *crew, double seconds);
void crew_stop(struct crew *crew);

unsigned crew_count(const struct crew *crew); /* processes that start or work */
void crew_sum(const struct crew *crew, struct stats *sum);

#endif
