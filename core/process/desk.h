/*
 * desk: where an operator asks a running parent for something and is told how it went: `interim
 * reload` and `interim upgrade` come here, and whoever looks for the admin listener.
 *
 * A socket in the abstract namespace, named after the parent's process id: it leaves no file
 * behind, and cannot outlive the process. Whoever comes is known by the kernel's word: only root
 * and the parent's own user are served. A visitor sends one word, and gets one packet when what it
 * asked for is done: '+' or '-' and a text of one or more lines.
 */
#ifndef INTERIM_PROCESS_DESK_H
#define INTERIM_PROCESS_DESK_H

#include "process/cli.h"

#include <ev.h>
#include <sys/types.h>
#include <sys/un.h>

#define DESK_NAME     "interim-" /* and a process id */
#define DESK_VISITORS 16
#define DESK_TEXT_MAX 4096

struct desk_visitor {
    struct desk *desk;
    int fd;                /* -1: nobody */
    enum cli_command wish; /* RELOAD, UPGRADE, STATUS (where is the admin listener?) once it is
                              known, else CLI_HELP */
    uint64_t came;         /* the how manieth visitor */
    uint64_t turn;         /* the owner's: which reload is to answer it */
    struct ev_io io;
};

struct desk {
    struct ev_loop *loop;
    int fd; /* -1: closed */
    struct ev_io io;
    uint64_t came; /* visitors so far */
    struct desk_visitor visitors[DESK_VISITORS];
    void (*asked)(void *arg, struct desk_visitor *visitor); /* its wish is known */
    void *arg;
};

/* The address of the desk of a process. Returns its length. */
socklen_t desk_address(pid_t pid, struct sockaddr_un *out);

/* False with errno: there is no desk, all else works. */
bool desk_open(struct desk *desk, struct ev_loop *loop,
               void (*asked)(void *arg, struct desk_visitor *visitor), void *arg);
void desk_close(struct desk *desk);

/* Tells one visitor, or all with that wish whose turn is up to `turn`, how it went. */
void desk_tell(struct desk_visitor *visitor, bool ok, const char *text);
void desk_tell_all(struct desk *desk, enum cli_command wish, uint64_t turn, bool ok,
                   const char *text);

#endif
