/*
 * child: forks. Owns what every child of the parent starts with: its signals, its descriptors and
 * its bond to the parent. The loader and the workers go on from here.
 */
#include "process/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARES_MAX 4

/* From a page's first byte to another's. */
struct share {
    uintptr_t begin, end;
};

struct shares {
    struct share of[SHARES_MAX];
    size_t count;
};

static struct shares shared;    /* all memory of child_shared */
static struct shares inherited; /* parts of it, by the next child */

static void close_others(const int *keep, size_t count)
{
    unsigned from = STDERR_FILENO + 1;
    for (;;) {
        /* The lowest kept descriptor from here on; those below it go. */
        unsigned next = ~0u;
        for (size_t i = 0; i < count; i++) {
            unsigned fd = (unsigned)keep[i];
            if (keep[i] >= 0 && fd >= from && fd < next)
                next = fd;
        }
        if (next > from)
            close_range(from, next == ~0u ? next : next - 1, 0);
        if (next == ~0u)
            return;
        from = next + 1;
    }
}

void child_ignore_outputs(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* The parent alone answers to these: they reach the whole group from a terminal, and from service
 * managers that signal every process of a service. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    child_ignore_outputs();
    signal(SIGCHLD, SIG_DFL);
}

void child_die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static struct share pages_of(const void *at, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)at / page * page;
    return (struct share){begin, ((uintptr_t)at + size + page - 1) / page * page};
}

/* Where the first inherited part behind `at` begins; *end is where that ends. */
static uintptr_t next_inherited(uintptr_t at, uintptr_t limit, uintptr_t *end)
{
    uintptr_t next = *end = limit;
    for (size_t i = 0; i < inherited.count; i++) {
        if (inherited.of[i].begin >= at && inherited.of[i].begin < next) {
            next = inherited.of[i].begin;
            *end = inherited.of[i].end;
        }
    }
    return next;
}

/* In the child. Not by MADV_DONTFORK: valgrind does not know of that. */
static bool drop_shared(void)
{
    bool dropped = true;
    for (size_t i = 0; i < shared.count; i++) {
        uintptr_t at = shared.of[i].begin, limit = shared.of[i].end, end;
        while (at < limit) {
            uintptr_t next = next_inherited(at, limit, &end);
            if (next > at && munmap((void *)at, next - at) != 0)
                dropped = false;
            at = end;
        }
    }
    return dropped;
}

pid_t child_fork(const int *keep, size_t count)
{
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    /* A signal that came before the child's own dispositions stand would wake the parent's loop
     * through the descriptors that both still share, and be lost. */
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0) {
        inherited.count = 0;
        sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
    }
    ignore_signals();
    child_die_with_parent();
    if (getppid() != parent || !drop_shared())
        _exit(EXIT_FAILURE);
    close_others(keep, count);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return 0;
}

void *child_shared(size_t size)
{
    if (shared.count == SHARES_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    /* Most of it may never be touched, and takes no memory then. */
    void *at =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    shared.of[shared.count++] = pages_of(at, size);
    return at;
}

void child_inherits(const void *part, size_t size)
{
    assert(inherited.count < SHARES_MAX);
    inherited.of[inherited.count++] = pages_of(part, size);
}

const char *child_ending(int status, char text[CHILD_ENDING_MAX])
{
    if (WIFSIGNALED(status))
        snprintf(text, CHILD_ENDING_MAX, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, CHILD_ENDING_MAX, "exited with %d", WEXITSTATUS(status));
    return text;
}
