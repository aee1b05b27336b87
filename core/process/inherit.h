/*
 * inherit: listening sockets that this process was started with: from a service manager that does
 * socket activation (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS), or from an older interim that this
 * one replaces, which passes them on in the same way.
 */
#ifndef INTERIM_PROCESS_INHERIT_H
#define INTERIM_PROCESS_INHERIT_H

#include "process/ports.h"

/*
 * The sockets that were passed on, each as the port of the listener in `settings` that its own
 * address fits: to be given to ports_open as the old ones. None if none were. False with a message
 * when one is no listening socket or fits no listener. *admin likewise, for ports_open_admin; one
 * that no longer fits is closed.
 */
bool inherit_ports(struct ports *out, struct ports *admin, const struct settings *settings,
                   char *why, size_t why_size);

/* To an older interim that waits for it: this one is ready. From then on the paths of the unix
 * sockets among them are this process's to remove. False: the older one has lost patience, and has
 * them still. */
bool inherit_done(struct ports *ports, struct ports *admin);

/* Likewise: why this one will never be ready. */
void inherit_failed(const char *why);

/*
 * In a child that is about to execute its successor: puts its ports, and the socket that
 * inherit_done is to answer on, where that looks for them; closes all else but 0, 1, 2. Returns the
 * number that the latter has now, or -1 with errno.
 */
int inherit_leave(const struct ports *ports, const struct ports *admin, int answer_fd);

/* What inherit_done answers with. Anything else is the reason why there is no successor, as far as
 * the older one has room for it. */
#define INHERIT_DONE "+"

#endif
