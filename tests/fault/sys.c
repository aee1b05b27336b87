/*
 * sys: stands in for core/base/sys.c when it is linked first, and for the C library's clock. See
 * faults.h. One more call is one more line in FAULT_CALLS, and one more function below.
 */
#include "base/sys.h"

#include "faults.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRACE_MAX    65536
#define SMALL_BUFFER 4096
/* How much moves at most when not all does, in a storm, or of bodies that are large. */
#define STORM_PORTION 7
#define LARGE_PORTION 97

static const struct {
    const char *name;
    int ways[FAULT_WAYS]; /* 0 ends them */
} kinds[CALL_COUNT] = {
#define FAULT_KIND(name, text, ...) [CALL_##name] = {text, {__VA_ARGS__}},
    FAULT_CALLS(FAULT_KIND)
#undef FAULT_KIND
};

static struct fault_plan plan;
static size_t calls, blocks, sockets, turns;
static unsigned char trace[TRACE_MAX];
static bool hit;
static enum fault_call hit_call;
static size_t hit_way;
static size_t tally[CALL_COUNT][FAULT_WAYS];
/* On the clock that scenes move. It begins shortly before sixteenths of a second do not fit into 32
 * bits any more: after eight and a half years. */
static double passed = 0x1p28 - 5000;

void faults_begin(const struct fault_plan *new_plan)
{
    plan = *new_plan;
    calls = 0;
    turns = 0;
    hit = false;
}

size_t faults_calls(void)
{
    return calls;
}

enum fault_call faults_call_at(size_t k)
{
    return k <= TRACE_MAX ? trace[k - 1] : CALL_RECV;
}

size_t faults_ways(enum fault_call call)
{
    size_t n = 0;

    while (n < FAULT_WAYS && kinds[call].ways[n] != 0)
        n++;
    return n;
}

/* A kernel that says EAGAIN for ever says that it is ready for ever as well. */
bool faults_lasts(enum fault_call call, size_t way)
{
    return kinds[call].ways[way % faults_ways(call)] != EAGAIN;
}

static const char *way_name(enum fault_call call, size_t way)
{
    int error = kinds[call].ways[way];
    return error == FAULT_LATE ? "late" : strerrorname_np(error);
}

const char *faults_hit(void)
{
    static char text[64];

    text[0] = '\0';
    if (hit)
        snprintf(text, sizeof text, "%s (%s)%s", kinds[hit_call].name, way_name(hit_call, hit_way),
                 plan.onward ? ", and from there on," : "");
    return text;
}

size_t faults_blocks(void)
{
    return blocks;
}

size_t faults_sockets(void)
{
    return sockets;
}

void faults_pass(double seconds)
{
    passed += seconds;
}

double faults_now(void)
{
    return passed;
}

void faults_print(void)
{
    for (size_t c = 0; c < CALL_COUNT; c++) {
        size_t sum = 0;
        for (size_t w = 0; w < faults_ways((enum fault_call)c); w++)
            sum += tally[c][w];
        printf("  %-8s %6zu ", kinds[c].name, sum);
        for (size_t w = 0; w < faults_ways((enum fault_call)c); w++)
            printf(" %s %zu", way_name((enum fault_call)c, w), tally[c][w]);
        printf("\n");
    }
}

/* True if this call is one to fail; errno says how. */
static bool fails(enum fault_call call)
{
    if (calls < TRACE_MAX)
        trace[calls] = (unsigned char)call;
    calls++;
    if (calls == plan.at) {
        hit = true;
        hit_call = call;
        hit_way = plan.way % faults_ways(call);
        tally[call][hit_way]++;
    } else if (!hit || !plan.onward || call != hit_call || !faults_lasts(call, hit_way)) {
        return false;
    }
    errno = kinds[call].ways[hit_way];
    return true;
}

/* How much of `n` may move now; 0: nothing, EAGAIN. */
static size_t portion(size_t n)
{
    size_t most;

    if (plan.io == FAULT_IO_WHOLE)
        return n;
    if (plan.io == FAULT_IO_STORM && ++turns % 2 == 0)
        return 0;
    most = plan.small ? LARGE_PORTION : plan.io == FAULT_IO_STORM ? STORM_PORTION : 1;
    return n < most ? n : most;
}

static int nothing_now(void)
{
    errno = EAGAIN;
    return -1;
}

/* ---- heap ---- */

void *sys_malloc(size_t n)
{
    void *p = fails(CALL_MALLOC) ? NULL : malloc(n);
    blocks += p != NULL;
    return p;
}

void *sys_calloc(size_t n, size_t size)
{
    void *p = fails(CALL_CALLOC) ? NULL : calloc(n, size);
    blocks += p != NULL;
    return p;
}

void *sys_realloc(void *old, size_t n)
{
    void *p = fails(CALL_REALLOC) ? NULL : realloc(old, n);
    blocks += old == NULL && p != NULL;
    return p;
}

void sys_free(void *p)
{
    blocks -= p != NULL;
    free(p);
}

/* ---- clock ---- */

/* In the place of the C library's, which the loop asks too: a deadline passes when a scene says so,
 * at once, and never because the machine is slow. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, t);
    t->tv_sec = (time_t)passed;
    t->tv_nsec = (long)((passed - (double)t->tv_sec) * 1e9);
    return 0;
}

double sys_monotonic(void)
{
    return passed;
}

double sys_realtime(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- sockets ---- */

static int hand_out(int fd)
{
    int small = SMALL_BUFFER;

    sockets += fd >= 0;
    if (fd >= 0 && plan.small)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    return fd;
}

int sys_socket(int domain, int type)
{
    if (fails(CALL_SOCKET))
        return -1;
    return hand_out(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    bool failed = fails(CALL_ACCEPT);
    int error = errno;
    int made = -1;

    /* A connection that was lost is gone from the queue; one that could not be had stays in it. */
    if (!failed || error == ECONNABORTED || error == EPROTO)
        made = accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (!failed)
        return hand_out(made);
    if (made >= 0)
        close(made);
    if (made >= 0 || (error != ECONNABORTED && error != EPROTO))
        errno = error;
    return -1;
}

/* An address at which nobody listens. */
static struct sockaddr_in nowhere(void)
{
    static struct sockaddr_in a;
    socklen_t len = sizeof a;

    if (a.sin_family == 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(fd, (struct sockaddr *)&a, len) != 0 ||
            getsockname(fd, (struct sockaddr *)&a, &len) != 0)
            abort();
    }
    return a;
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_in elsewhere;

    if (!fails(CALL_CONNECT))
        return connect(fd, addr, len);
    if (errno != FAULT_LATE)
        return -1;
    errno = ECONNREFUSED;
    if (addr->sa_family != AF_INET)
        return -1;
    elsewhere = nowhere();
    return connect(fd, (struct sockaddr *)&elsewhere, sizeof elsewhere);
}

ssize_t sys_recv(int fd, void *bytes, size_t n)
{
    size_t part = portion(n);

    if (fails(CALL_RECV))
        return -1;
    if (part == 0)
        return nothing_now();
    return recv(fd, bytes, part, 0);
}

/* What is there is there, whatever moves at a time. */
ssize_t sys_peek(int fd)
{
    char byte;
    return fails(CALL_PEEK) ? -1 : recv(fd, &byte, 1, MSG_PEEK);
}

ssize_t sys_writev(int fd, const struct iovec *iov, int count)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    struct iovec first = iov[0];

    if (fails(CALL_WRITEV))
        return -1;
    if (plan.io != FAULT_IO_WHOLE) {
        first.iov_len = portion(first.iov_len);
        m.msg_iov = &first;
        m.msg_iovlen = 1;
        if (first.iov_len == 0)
            return nothing_now();
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

bool sys_pipe(int fd[2])
{
    if (fails(CALL_PIPE) || pipe2(fd, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    sockets += 2;
    return true;
}

/* Pipes are full sooner than what is to go into them, so that all of it is not moved at once. */
static size_t pipe_portion(size_t n)
{
    size_t part = portion(n);
    return plan.io == FAULT_IO_WHOLE ? part : (part + 1) / 2;
}

/* A pipe that holds bytes gives as many as it is asked for. */
ssize_t sys_read(int fd, void *bytes, size_t n)
{
    return fails(CALL_READ) ? -1 : read(fd, bytes, n);
}

ssize_t sys_write(int fd, const void *bytes, size_t n)
{
    size_t part;

    if (fails(CALL_WRITE))
        return -1;
    part = pipe_portion(n);
    if (part == 0)
        return nothing_now();
    return write(fd, bytes, part);
}

enum sys_taker sys_taker(int fd)
{
    (void)fd;
    return SYS_TAKER_FILE;
}

/* Whole, so that lines can be counted. */
ssize_t sys_offer(int fd, enum sys_taker taker, const void *bytes, size_t n)
{
    (void)taker;
    return fails(CALL_OFFER) ? -1 : write(fd, bytes, n);
}

ssize_t sys_splice(int from, int to, size_t n)
{
    size_t part;

    /* First: where it always fails, the read that comes instead must not have every other turn. */
    if (fails(CALL_SPLICE))
        return -1;
    part = pipe_portion(n);
    if (part == 0)
        return nothing_now();
    return splice(from, NULL, to, NULL, part, SPLICE_F_NONBLOCK);
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
