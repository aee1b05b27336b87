/*
 * end: one end of one connection, played by a script: what it said, what it heard.
 */
#ifndef INTERIM_TESTS_FAULT_END_H
#define INTERIM_TESTS_FAULT_END_H

#include "base/slice.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX 65536

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

enum parting { HERE, ENDED, RESET }; /* of the other side, as this one has seen it */

/* From this byte on, what was sent was sent when so many requests, and bytes, had been heard. */
struct mark {
    size_t from, asked, heard;
};

#define MARKS_MAX 64

/* From this byte on, what was said or heard moved at this time, or later. */
struct moment {
    size_t from;
    double at;
};

struct moments {
    struct moment of[MARKS_MAX];
    size_t count;
};

struct end {
    int fd;      /* -1: closed by the script */
    bool paused; /* does not read */
    bool ends;   /* its sending side, once all is sent */
    enum parting parting;
    bool was_reset;   /* as a failed attempt to say something showed */
    enum parting own; /* what this end did itself */
    struct text heard;
    size_t known; /* so much of what this end said can what it heard be an answer to */
    struct text said;
    size_t sent;    /* of what was said */
    size_t answers; /* final responses said */
    struct mark marks[MARKS_MAX];
    size_t mark_count;
    struct moments said_at, heard_at;
    bool switched; /* a 101 was said */
    bool proxied;  /* what it hears begins with a PROXY header */
};

/* Takes over a connected socket. */
void end_open(struct end *e, int fd, bool proxied);

/* Closes it, so that the other side sees an end or a reset. */
void end_drop(struct end *e, bool reset);

/* Says it as soon as it can be sent. */
void end_say(struct end *e, struct slice bytes);

/* The same as an origin: an answer is labelled with the request that waits for it. */
void end_answer(struct end *e, struct slice bytes);

/* Ends its sending side behind what was said. */
void end_finish(struct end *e);

/* How many requests, or bytes, had been heard when this byte was sent; SIZE_MAX: nobody knows. */
size_t end_asked_at(const struct end *e, size_t byte);
size_t end_heard_at(const struct end *e, size_t byte);

/* When this byte was said or heard, as faults_now tells it; NAN: nobody knows. */
double end_when(const struct moments *m, size_t byte);

/* Requests heard. *target is that of the oldest one without an answer, or `?`. */
size_t end_requests(const struct end *e, char *target);

/* What it waits for; and what it does when that has come. */
struct pollfd end_wish(const struct end *e);
void end_turn(struct end *e);

/*
 * Listens on this machine, over TCP or on a unix socket called `name`; with a `backlog` of 0
 * whoever connects is refused. Writes the address as settings take it.
 */
int end_listen(bool local, int backlog, const char *name, char *text, size_t size);

/* Bytes, connections and ends that any of them sent or saw, ever. */
size_t end_moves(void);

#endif
