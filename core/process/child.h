/*
 * child: a fork with nothing left of the parent that the child has no use for.
 */
#ifndef INTERIM_PROCESS_CHILD_H
#define INTERIM_PROCESS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Like fork. In the child: the signals meant for the parent are ignored, all descriptors but 0, 1,
 * 2 and those in `keep` are closed, and the kernel kills it when its parent dies. The child must
 * not touch the parent's loop, whose descriptors are gone, and ends with exit().
 */
pid_t child_fork(const int *keep, size_t count);

/* Memory that processes share, full of zeros; a child has none of it but what child_inherits gave.
 * It is never freed. NULL with errno. */
void *child_shared(size_t size);

/* The next child has a part of it, whole pages, and may write there; what it has not it can neither
 * see nor spoil. */
void child_inherits(const void *part, size_t size);

/* A reader of the logs that has left, and a file that may not grow (RLIMIT_FSIZE), are errors of a
 * write and no reason to die. For the parent, too. */
void child_ignore_outputs(void);

/* Asks for that death again: a change of user ids forgets it. */
void child_die_with_parent(void);

#define CHILD_ENDING_MAX 64

/* How a wait status ended, for a log line: "exited with 1", "was killed by signal 9 (Killed)". */
const char *child_ending(int status, char text[CHILD_ENDING_MAX]);

#endif
