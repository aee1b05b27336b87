/*
 * harden: what a process gives up before it does its work, and the limits it runs under.
 */
#ifndef INTERIM_PROCESS_HARDEN_H
#define INTERIM_PROCESS_HARDEN_H

#include <stdbool.h>
#include <stddef.h>

struct settings;

/* True if that user exists, or if this process could not change to it anyhow. Else a message. */
bool harden_check_user(const char *user, char *why, size_t why_size);

/* True if workers of a policy with the one `user` are what they would be with the other. */
bool harden_same_user(const char *one, const char *other);

/*
 * For a worker: when root, becomes settings->user ("": nobody) for good, groups included; can gain
 * no privileges later; cannot be traced by its own user, and leaves no core file; without `jit` it
 * can make no memory executable (where the kernel has that, 6.3 and later); then filter_apply. What
 * --allow lets a policy use needs calls that no list can foresee: then neither of these two. False
 * with a message: the process must not go on.
 */
bool harden_worker(const struct settings *settings, char *why, size_t why_size);

/* For the loader: it can gain no privileges. It keeps its user, to read what the operator may. */
void harden_loader(void);

#endif
