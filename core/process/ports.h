/*
 * ports: the listening sockets of a generation. The parent opens them and keeps them for as long
 * as a generation wants them, so that no worker's death loses a connection in their queues.
 */
#ifndef INTERIM_PROCESS_PORTS_H
#define INTERIM_PROCESS_PORTS_H

#include "process/config.h"

#include <sys/types.h>

struct port {
    struct addr asked; /* as the settings have it: what a reload compares */
    struct addr bound; /* with the port the kernel chose, where 0 was asked for */
    uint32_t id;       /* never used again while the parent lives */
    int fd;
    dev_t device; /* of a unix path: with `inode` what was made there, to know it again */
    ino_t inode;
    bool lent;    /* a unix path that another process will remove */
    bool claimed; /* until ports_claim; then it is this one's */
};

/* Plain data; who may close what is for the owner of two of them to know: see ports_close_except.
 */
struct ports {
    struct port port[SETTINGS_LISTENERS];
    size_t count;
};

/*
 * A listening socket for each listener of the settings. One that `old` holds already is taken over
 * as it is (same fd, same id, both hold it then); the others are new. False with a message for the
 * operator: nothing was opened.
 */
bool ports_open(struct ports *out, const struct settings *settings, const struct ports *old,
                char *why, size_t why_size);

/* Likewise, for the address of `admin`, if there is one. */
bool ports_open_admin(struct ports *out, const struct settings *settings, const struct ports *old,
                      char *why, size_t why_size);

/* Adds a listening socket that this process was given. With `owned` its path goes over to this
 * process by ports_claim, else never. */
void ports_adopt(struct ports *ports, int fd, const struct addr *asked, const struct addr *bound,
                 bool owned);
void ports_claim(struct ports *ports);

/* Another process has all of them from now on, their paths included. */
void ports_lend(struct ports *ports);

/* `a`, or the same for IPv4 alone where the kernel has no IPv6 and all addresses are meant. */
struct addr ports_supported(const struct addr *a);

bool ports_has(const struct ports *ports, uint32_t id);

/*
 * Closes those that `kept` (NULL: none) does not hold, removes the paths of unix sockets among
 * them, unless somebody else has put something there since, and empties `ports`.
 */
void ports_close_except(struct ports *ports, const struct ports *kept);

#endif
