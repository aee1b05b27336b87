/*
 * output: what a command printed on stdout, when it is over.
 */
#ifndef INTERIM_BASE_OUTPUT_H
#define INTERIM_BASE_OUTPUT_H

/*
 * The exit status of a command that has printed all it had to: `status`, or EXIT_FAILURE, with a
 * word on stderr, if any of it was lost, to a full disk for one.
 */
int output_end(int status);

#endif
