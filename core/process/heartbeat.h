/*
 * heartbeat: finds workers whose loop stands still although there is work, and has them replaced.
 *
 * Reads what they show of themselves (proxy/pulse), a few words a worker twice a second: nobody is
 * asked, nobody is woken.
 */
#ifndef INTERIM_PROCESS_HEARTBEAT_H
#define INTERIM_PROCESS_HEARTBEAT_H

#include "process/crew.h"

/* Seconds between two looks, and how many in a row must find the same: one second in all, and at
 * most half a one more. */
#define HEARTBEAT_SECONDS 0.5
#define HEARTBEAT_LOOKS   2

struct heartbeat {
    struct crew *crew;
    struct ev_timer timer;
    struct heartbeat_look {
        pid_t pid;
        uint32_t beat;
        unsigned still; /* looks in a row that found no beat since the one before */
    } last[CREW_MAX];
};

/* Looks from now on. */
void heartbeat_start(struct heartbeat *h, struct crew *crew);
void heartbeat_stop(struct heartbeat *h);

#endif
