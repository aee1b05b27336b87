/*
 * sys: the real kernel, clock and heap. Owns nothing. EINTR is retried here, so no caller ever
 * sees it; everything else passes through untouched.
 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIPE_SIZE (1 << 20)

void *sys_malloc(size_t n)
{
    return malloc(n);
}

void *sys_calloc(size_t n, size_t size)
{
    return calloc(n, size);
}

void *sys_realloc(void *p, size_t n)
{
    return realloc(p, n);
}

void sys_free(void *p)
{
    free(p);
}

static double read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double sys_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double sys_realtime(void)
{
    return read_clock(CLOCK_REALTIME);
}

int sys_socket(int domain, int type)
{
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    int made;
    do
        made = accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (made < 0 && errno == EINTR);
    return made;
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int result;
    do
        result = connect(fd, addr, len);
    while (result < 0 && errno == EINTR);
    return result;
}

ssize_t sys_recv(int fd, void *bytes, size_t n)
{
    ssize_t got;
    do
        got = recv(fd, bytes, n, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t sys_peek(int fd)
{
    char byte;
    ssize_t got;
    do
        got = recv(fd, &byte, 1, MSG_PEEK);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t sys_writev(int fd, const struct iovec *iov, int count)
{
    /* sendmsg only reads the vector, its type just does not say so. */
    struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    ssize_t sent;
    /* The kernel copies neither a message header nor a vector for one piece. */
    do
        sent = count == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                          : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

bool sys_pipe(int fd[2])
{
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    /* A larger one moves more at a time; the default does, too. */
    (void)!fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE);
    return true;
}

ssize_t sys_read(int fd, void *bytes, size_t n)
{
    ssize_t got;
    do
        got = read(fd, bytes, n);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t sys_write(int fd, const void *bytes, size_t n)
{
    ssize_t sent;
    do
        sent = write(fd, bytes, n);
    while (sent < 0 && errno == EINTR);
    return sent;
}

enum sys_taker sys_taker(int fd)
{
    struct stat st = {0};
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
        return SYS_TAKER_SOCKET;
    if (S_ISREG(st.st_mode))
        return SYS_TAKER_FILE;
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? SYS_TAKER_OWN : SYS_TAKER_SHARED;
}

/* A shared one that says that it is ready has room for PIPE_BUF. Between the two calls another
 * process may take that room: so a service has one of its own, where it can (output_own). */
ssize_t sys_offer(int fd, enum sys_taker taker, const void *bytes, size_t n)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (taker == SYS_TAKER_SOCKET)
        return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taker == SYS_TAKER_SHARED && poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return sys_write(fd, bytes, n);
}

ssize_t sys_splice(int from, int to, size_t n)
{
    ssize_t moved;
    do
        moved = splice(from, NULL, to, NULL, n, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    while (moved < 0 && errno == EINTR);
    return moved;
}

int sys_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR);
}

/* Not retried: on Linux the descriptor is gone even when close is interrupted, and a second call
 * could hit one that was opened since. */
int sys_close(int fd)
{
    return close(fd);
}
