/*
 * child: forks. Owns what every child of the parent starts with: its signals, its descriptors and
 * its bond to the parent. The loader and the workers go on from here.
 */
#include "process/child.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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
        sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
    }
    ignore_signals();
    child_die_with_parent();
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    close_others(keep, count);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return 0;
}

void *child_shared(size_t size)
{
    /* Most of it may never be touched, and takes no memory then. */
    void *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared != MAP_FAILED && child_inherits(shared, size, false))
        return shared;
    return NULL;
}

bool child_inherits(void *shared, size_t size, bool whether)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = (uintptr_t)shared % page;
    return madvise((char *)shared - before, size + before, whether ? MADV_DOFORK : MADV_DONTFORK) ==
           0;
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
