/*
 * sys: stands in for core/base/sys.c when it is linked first. See faults.h.
 */
#include "base/sys.h"

#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static enum fault_mode mode;
static size_t wanted, calls, blocks, sockets, turns;
static const char *hit = "";

void faults_begin(enum fault_mode new_mode, size_t k)
{
    mode = new_mode;
    wanted = k;
    calls = 0;
    turns = 0;
    hit = "";
}

size_t faults_calls(void)
{
    return calls;
}

const char *faults_hit(void)
{
    return hit;
}

size_t faults_blocks(void)
{
    return blocks;
}

size_t faults_sockets(void)
{
    return sockets;
}

/* True if this call is the one to fail. */
static bool fails(const char *what, int error)
{
    calls++;
    if (mode != FAULTS_KTH || calls != wanted)
        return false;
    hit = what;
    errno = error;
    return true;
}

/* How much of `n` may move now; 0: nothing, EAGAIN. */
static size_t portion(size_t n)
{
    if (mode == FAULTS_SHORT)
        return n < 1 ? n : 1;
    if (mode != FAULTS_STORM)
        return n;
    if (++turns % 2 == 0)
        return 0;
    return n < 7 ? n : 7;
}

void *sys_malloc(size_t n)
{
    void *p = fails("malloc", ENOMEM) ? NULL : malloc(n);
    blocks += p != NULL;
    return p;
}

void *sys_calloc(size_t n, size_t size)
{
    void *p = fails("calloc", ENOMEM) ? NULL : calloc(n, size);
    blocks += p != NULL;
    return p;
}

void *sys_realloc(void *old, size_t n)
{
    void *p = fails("realloc", ENOMEM) ? NULL : realloc(old, n);
    blocks += old == NULL && p != NULL;
    return p;
}

void sys_free(void *p)
{
    blocks -= p != NULL;
    free(p);
}

static double clock_seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double sys_monotonic(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

double sys_realtime(void)
{
    return clock_seconds(CLOCK_REALTIME);
}

static int count_socket(int fd)
{
    sockets += fd >= 0;
    return fd;
}

int sys_socket(int domain, int type)
{
    if (fails("socket", EMFILE))
        return -1;
    return count_socket(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    if (fails("accept", EMFILE))
        return -1;
    return count_socket(accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return fails("connect", ECONNREFUSED) ? -1 : connect(fd, addr, len);
}

ssize_t sys_recv(int fd, void *bytes, size_t n)
{
    size_t part = portion(n);

    if (fails("recv", ECONNRESET))
        return -1;
    if (part == 0) {
        errno = EAGAIN;
        return -1;
    }
    return recv(fd, bytes, part, 0);
}

ssize_t sys_writev(int fd, const struct iovec *iov, int count)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    struct iovec first = iov[0];

    if (fails("writev", EPIPE))
        return -1;
    if (mode == FAULTS_SHORT || mode == FAULTS_STORM) {
        first.iov_len = portion(first.iov_len);
        m.msg_iov = &first;
        m.msg_iovlen = 1;
        if (first.iov_len == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

int sys_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR);
}

int sys_close(int fd)
{
    sockets--;
    return close(fd);
}
