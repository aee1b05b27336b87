/*
 * filter: the system calls that a worker may make. Any other ends it, and the parent's log says so.
 *
 * What a worker has to open, it is given or opens before: it cannot open a file, execute a program,
 * make a process, look into another one, or signal one.
 */
#ifndef INTERIM_PROCESS_FILTER_H
#define INTERIM_PROCESS_FILTER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Has libraries read now what they read when they are first used: the time zone. For the parent, so
 * that workers inherit it.
 */
void filter_warm(void);

/*
 * For good, for this thread and its children. With `jit` it may make code. A kernel without
 * seccomp is warned about; false with a message when anything else went wrong.
 */
bool filter_apply(bool jit, char *why, size_t why_size);

#endif
