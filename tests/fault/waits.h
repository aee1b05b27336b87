/*
 * waits: how long anybody may be left waiting, and how long whoever is told of a timeout must have
 * been. Both seen from outside: nothing here knows which clocks the worker has.
 */
#ifndef INTERIM_TESTS_FAULT_WAITS_H
#define INTERIM_TESTS_FAULT_WAITS_H

#include "books.h"

/*
 * The deadlines that README.md promises, in seconds, and 10 more where a hook may have been
 * waited for. NULL, or which client, or connection, should have been done with by now: for `quiet`
 * seconds nobody has sent, heard or decided anything, and time has passed in steps of WAITS_STEP
 * at most.
 */
const char *waits_overdue(const struct stage *s, double quiet);

#define WAITS_STEP 16

/* Longer than anything but a tunnel may wait. */
#define WAITS_LONG 111

/* How long quiet must have lasted when it is worth looking again. */
double waits_next_look(double quiet);

/* NULL, or that a client was told too soon that something took too long. */
const char *waits_cut_short(const struct stage *s, const struct dialogue *d,
                            const struct end *client);

#endif
