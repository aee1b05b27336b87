/*
 * worker: a process that proxies. It does what the parent tells it over the control socket, and
 * nothing on its own account but to end when something is wrong: the parent replaces it.
 */
#ifndef INTERIM_PROCESS_WORKER_H
#define INTERIM_PROCESS_WORKER_H

#include "process/config.h"
#include "process/ports.h"
#include "proxy/listing.h"
#include "proxy/pulse.h"
#include "proxy/stats.h"

/* What a worker starts with. All of it is the worker's own copy, to close. */
struct worker_start {
    unsigned number; /* from 1 */
    uint64_t generation;
    struct config config;
    struct ports ports;
    int control;
    struct stats *stats;
    struct pulse *pulse;
    struct listing *listing;
    enum log_level log_level;
};

/*
 * Runs in the child that child_fork made, with the control socket, the configuration's file and
 * the ports kept. Ends with exit.
 */
_Noreturn void worker_run(const struct worker_start *start);

#endif
