/*
 * filter: a list for libseccomp, found by watching workers under the whole of the wire tests, which
 * pass under it.
 *
 * To find what a killed worker called: the kernel logs it (`dmesg`, or auditd's log: type=SECCOMP),
 * and `strace -f` shows it. There is no switch to turn the filter off: a debugger needs none, and
 * what runs without it is not what was tested.
 */
#include "process/filter.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* libseccomp's macros for arguments leave out the members that a comparison does not use. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Whatever the arguments. */
static const char *const calls[] = {
    /* connections, the control socket, both logs */
    "read",
    "write",
    "readv",
    "writev",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "splice",
    "pipe2",
    "accept4",
    "connect",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "shutdown",
    "close",
    /* the loop */
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "poll",
    "ppoll",
    /* clocks, where the kernel has them read by a call */
    "clock_gettime",
    "gettimeofday",
    "time",
    "restart_syscall",
    /* memory; for what may be made executable see allow_memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "futex",
    /* the size of a configuration's memory file; flushing stdio at the end */
    "fstat",
    "lseek",
    /* who it is, random bytes, and an end with or without an assertion's message */
    "getrandom",
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "exit",
    "exit_group",
};

static int allow_calls(scmp_filter_ctx ctx)
{
    int error = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && error == 0; i++) {
        int call = seccomp_syscall_resolve_name(calls[i]);
        /* A negative one exists on other machines only. */
        if (call >= 0)
            error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
    }
    return error;
}

/* Without the JIT nobody changes what memory is for: what the admin process has for reading stays
 * so. */
static int allow_memory(scmp_filter_ctx ctx, bool jit)
{
    if (!jit)
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    int error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 0);
    return error != 0 ? error : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 0);
}

/* Other families do not exist for it; that is an answer and not an attack. */
static int allow_sockets(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    int error = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_GT, AF_INET6));
    for (size_t i = 0; i < sizeof families / sizeof *families && error == 0; i++)
        error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    return error;
}

/* Flags, and the size of a pipe. Not who is sent a signal when bytes come (F_SETOWN, F_SETSIG):
 * that could be any process of this user, the parent among them, and any signal. */
static int allow_descriptor_flags(scmp_filter_ctx ctx)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETPIPE_SZ};
    int error = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands && error == 0; i++)
        error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                 SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    return error;
}

/* What glibc has in the place of fstat; and abort, which may only hit this process. */
static int allow_narrowly(scmp_filter_ctx ctx)
{
    int error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                                 SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
    if (error == 0)
        error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    return error;
}

static int load(scmp_filter_ctx ctx, bool jit)
{
    /* The kernel's own error, to tell what it lacks from what went wrong. */
    int error = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (error == 0)
        error = allow_calls(ctx);
    if (error == 0)
        error = allow_memory(ctx, jit);
    if (error == 0)
        error = allow_sockets(ctx);
    if (error == 0)
        error = allow_descriptor_flags(ctx);
    if (error == 0)
        error = allow_narrowly(ctx);
    return error != 0 ? error : seccomp_load(ctx);
}

void filter_warm(void)
{
    /* With TZ unset, each conversion to local time looks at the file again. */
    setenv("TZ", ":/etc/localtime", 0);
    tzset();
}

bool filter_apply(bool jit, char *why, size_t why_size)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    /* Where seccomp(2) itself is refused, as under the filters of some service managers, prctl(2)
     * does; it ends the thread, and there is only one. */
    if (ctx == NULL)
        ctx = seccomp_init(SCMP_ACT_KILL_THREAD);
    int error = ctx == NULL ? -ENOMEM : load(ctx, jit);
    seccomp_release(ctx);
    if (error == 0)
        return true;
    if (error == -ENOSYS || error == -EINVAL) {
        log_warning("this kernel has no seccomp filters: the worker may make any system call");
        return true;
    }
    snprintf(why, why_size, "cannot restrict the worker's system calls: %s", strerror(-error));
    return false;
}
