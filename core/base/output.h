/*
 * output: stdout and stderr: what a command printed, when it is over, and what a service writes to.
 */
#ifndef INTERIM_BASE_OUTPUT_H
#define INTERIM_BASE_OUTPUT_H

#include <stdio.h>

/*
 * The exit status of a command that has printed all it had to: `status`, or EXIT_FAILURE, with a
 * word on stderr, if any of it was lost, to a full disk for one.
 */
int output_end(int status);

/* Prints what somebody else said: its lines stay, all other bytes that are not printable ASCII, to
 * which a terminal might listen, are escaped as \xNN. */
void output_foreign(FILE *to, const char *text);

/*
 * For a service, whose clients must not wait for who reads its logs: where stdout and stderr are
 * pipes or terminals they become open files of its own that do not block. One that it may not open,
 * for it was made by another user, stays as it is: see sys_offer.
 */
void output_own(void);

#endif
