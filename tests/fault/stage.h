/*
 * stage: one worker in this thread, with both ends of the wire and the policy played by a scene.
 *
 * The loop never sleeps: on the loopback a byte is there as soon as it was sent, so that a step is
 * over when a turn of the loop brings nothing new. A scene takes a fraction of a millisecond.
 */
#ifndef INTERIM_TESTS_FAULT_STAGE_H
#define INTERIM_TESTS_FAULT_STAGE_H

#include "end.h"
#include "faults.h"
#include "proxy/proxy.h"
#include "scene.h"

#define CLIENTS 3
#define ORIGINS 24

/* How a scene is played. */
struct play {
    const struct scene *scene;
    struct fault_plan faults;
    enum act interruption; /* or NO_ACT */
    size_t after;          /* it comes after so many steps */
    bool hurried;          /* and the step behind it comes in the same turn of the loop */
    enum ending ending;
    bool patient; /* gives the machine time before it believes that nothing more comes */
};

struct stage {
    const char *wrong; /* the first thing that went wrong, or NULL */
    struct stats stats;
    struct end clients[CLIENTS], origins[ORIGINS];
    size_t client_count, origin_count;
    bool blind;          /* the worker may not have seen what came */
    bool crowded;        /* more connections to origins than there are ends for */
    bool resets_show;    /* they do not on unix sockets */
    bool proxied;        /* clients begin with a PROXY header */
    bool hooks_wait;     /* some do */
    bool early;          /* bytes behind an offered upgrade are no request */
    size_t log_lines;    /* written to the access log */
    size_t calls;        /* fallible ones */
    size_t calls_before; /* the interruption */
};

/* With the faults and the ending that the scene itself names, and no interruption. */
struct play stage_as_said(const struct scene *scene);

/* The one stage: the scene is over, what it left behind is in it. */
const struct stage *stage_play(const struct play *play);

#endif
