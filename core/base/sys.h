/*
 * sys: the one door to the kernel, the clock and the heap.
 *
 * Every call that can fail at run time goes through here and nowhere else, so that a test can link
 * another implementation of this file that fails the k-th call, shortens reads and writes, or runs
 * a clock of its own. Nothing here interprets: errors are errno, as the kernel gave them, except
 * that EINTR is retried.
 */
#ifndef INTERIM_BASE_SYS_H
#define INTERIM_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

void *sys_malloc(size_t n);
void *sys_calloc(size_t n, size_t size);
void *sys_realloc(void *p, size_t n);
void sys_free(void *p); /* NULL is fine */

double sys_monotonic(void); /* seconds since some fixed point; never goes back */
double sys_realtime(void);  /* seconds since 1970, for log lines only */

/* Sockets made here are non-blocking and close-on-exec. */
int sys_socket(int domain, int type);
int sys_accept(int fd, struct sockaddr *addr, socklen_t *len);
int sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
ssize_t sys_recv(int fd, void *bytes, size_t n);
ssize_t sys_peek(int fd); /* 1: bytes have come; 0: nothing but the end */
ssize_t sys_writev(int fd, const struct iovec *iov,
                   int count); /* never raises SIGPIPE on sockets */
bool sys_pipe(int fd[2]);      /* as large as the system lets it be; false with errno */

ssize_t sys_read(int fd, void *bytes, size_t n);        /* from a pipe */
ssize_t sys_write(int fd, const void *bytes, size_t n); /* to one */

/* What stands behind stdout or stderr. */
enum sys_taker {
    SYS_TAKER_FILE, /* takes all at once */
    SYS_TAKER_SOCKET,
    SYS_TAKER_OWN,   /* a pipe or terminal that is set not to block */
    SYS_TAKER_SHARED /* one that is not, as others who write to it may want */
};

enum sys_taker sys_taker(int fd);

/* To whatever takes stdout or stderr; EAGAIN when it takes nothing now. Does not wait as long as
 * `n` is at most PIPE_BUF. Never raises SIGPIPE on sockets. */
ssize_t sys_offer(int fd, enum sys_taker taker, const void *bytes, size_t n);

/* Moves up to `n` bytes between a pipe and a socket, or two pipes, without waiting. May raise
 * SIGPIPE. */
ssize_t sys_splice(int from, int to, size_t n);
int sys_shutdown_write(int fd);
int sys_close(int fd);

#endif
