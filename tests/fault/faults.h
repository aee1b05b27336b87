/*
 * faults: another implementation of base/sys.h, for tests. It fails the calls that a plan names, or
 * moves one byte at a time, or says EAGAIN every other time; it counts what was handed out, and the
 * clock stands still until it is moved.
 */
#ifndef INTERIM_TESTS_FAULT_FAULTS_H
#define INTERIM_TESTS_FAULT_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* The calls that can fail, and the ways in which each does: errnos, as the kernel gives them. */
#define FAULT_CALLS(X)                                                                             \
    X(MALLOC, "malloc", ENOMEM)                                                                    \
    X(CALLOC, "calloc", ENOMEM)                                                                    \
    X(REALLOC, "realloc", ENOMEM)                                                                  \
    X(SOCKET, "socket", EMFILE, ENFILE, ENOBUFS, ENOMEM)                                           \
    X(ACCEPT, "accept", EMFILE, ECONNABORTED, ENFILE, ENOBUFS, ENOMEM, EPROTO, EAGAIN)             \
    X(CONNECT, "connect", ECONNREFUSED, FAULT_LATE, ENETUNREACH, EADDRNOTAVAIL, EAGAIN, ETIMEDOUT) \
    X(RECV, "recv", ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, EAGAIN)                           \
    X(PEEK, "peek", ECONNRESET, ENOMEM)                                                            \
    X(WRITEV, "writev", EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETIMEDOUT, EAGAIN)                     \
    X(PIPE, "pipe", EMFILE, ENFILE)                                                                \
    X(READ, "read", ENOMEM)                                                                        \
    X(WRITE, "write", EAGAIN, ENOMEM)                                                              \
    X(OFFER, "offer", EAGAIN, ENOSPC, EPIPE)                                                       \
    X(SPLICE, "splice", EPIPE, ECONNRESET, EINVAL, ENOMEM, ETIMEDOUT, EAGAIN)

#define FAULT_CALL_ENUM(name, text, ...) CALL_##name,
enum fault_call { FAULT_CALLS(FAULT_CALL_ENUM) CALL_COUNT };

/* No errno: a connect that is under way, and then fails. */
#define FAULT_LATE (-1)
#define FAULT_WAYS 7 /* at most, of any call */

enum fault_io {
    FAULT_IO_WHOLE, /* reads and writes move what there is */
    FAULT_IO_SHORT, /* they move one byte, a hundred of large bodies */
    FAULT_IO_STORM  /* every other one says EAGAIN, the others move a few bytes */
};

struct fault_plan {
    enum fault_io io;
    size_t at;   /* the call that fails, counted from 1; 0: none */
    size_t way;  /* in which of the ways of that call; beyond the last, it starts over */
    bool onward; /* and so do all later calls of its kind */
    bool small;  /* sockets have small buffers */
};

/* Starts counting anew. */
void faults_begin(const struct fault_plan *plan);

size_t faults_calls(void);                /* fallible calls since faults_begin */
enum fault_call faults_call_at(size_t k); /* what the k-th of them was, from 1 */
size_t faults_ways(enum fault_call call);
bool faults_lasts(enum fault_call call, size_t way); /* whether `onward` makes a difference */
const char *faults_hit(void); /* "recv (ECONNRESET)": what was failed first; "" if nothing was */
size_t faults_blocks(void);   /* heap blocks handed out and not given back */
size_t faults_sockets(void);  /* sockets and ends of pipes handed out and not closed */

/* Time passes, for the loop's timers too. */
void faults_pass(double seconds);
double faults_now(void);

/* Prints how often each call was failed, and in which ways, since the program began. */
void faults_print(void);

#endif
