/*
 * What a worker may ask of the kernel, and what ends it: each in a child that has dropped all it
 * can.
 */
#include "process/filter.h"
#include "process/harden.h"
#include "proxy/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#define FINE 0

/* Then threads end by calls that no worker makes. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static pid_t parent; /* to ask for it is forbidden, too */

/* The wait status of a child that becomes a worker and does `what`, whose result it exits with. */
static int fate(int (*what)(void), bool jit)
{
    static struct settings settings;
    char why[256];
    int status;
    settings.jit = jit;
    fflush(stdout);
    parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        if (!harden_worker(&settings, why, sizeof why))
            _exit(99);
        _exit(what());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void is_fine(int (*what)(void), bool jit)
{
    int status = fate(what, jit);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FINE);
}

static void is_fatal(int (*what)(void))
{
    if (!INTERIM_FILTER)
        skip();
    int status = fate(what, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int open_a_file(void)
{
    return open("/etc/hostname", O_RDONLY | O_CLOEXEC) >= 0 ? FINE : 1;
}

static int execute(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int make_a_process(void)
{
    return fork() >= 0 ? FINE : 1;
}

static int trace_the_parent(void)
{
    return ptrace(PTRACE_SEIZE, parent, NULL, NULL) == 0 ? FINE : 1;
}

static int signal_the_parent(void)
{
    return kill(parent, 0) == 0 ? FINE : 1;
}

/* The kernel would send it when bytes come, whatever the filter says of kill(2). */
static int have_a_descriptor_signal_the_parent(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 && fcntl(fd, F_SETOWN, parent) == 0 ? FINE : 1;
}

static int change_the_flags_of_a_descriptor(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? FINE : 1;
}

static int listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 && listen(fd, 1) == 0 ? FINE : 1;
}

static int make_memory_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? FINE : 1;
}

static int make_memory_writable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0 ? FINE : 1;
}

static int use_other_families(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EAFNOSUPPORT ? FINE : 1;
}

static int connect_somewhere(void)
{
    int ip4 = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return ip4 >= 0 && local >= 0 ? FINE : 1;
}

static int use_what_is_opened_lazily(void)
{
    char text[64];
    time_t now = time(NULL);
    struct tm tm;
    if (localtime_r(&now, &tm) == NULL || mktime(&tm) == -1 ||
        strftime(text, sizeof text, "%A %Z", &tm) == 0)
        return 1;
    return strerror(ENOENT) != NULL && strsignal(SIGHUP) != NULL ? FINE : 2;
}

/* As under a service manager whose own filter lacks seccomp(2). */
static int open_a_file_without_seccomp(void)
{
    static struct settings settings;
    char why[256];
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (ctx == NULL || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) != 0 ||
        seccomp_load(ctx) != 0)
        return 98;
    /* libseccomp remembers what the kernel could do when it was first asked. */
    seccomp_release(ctx);
    seccomp_reset(NULL, SCMP_ACT_ALLOW);
    if (!harden_worker(&settings, why, sizeof why))
        return 97;
    return open_a_file();
}

static int abort_itself(void)
{
    abort();
}

static void forbidden_calls_end_the_process(void **state)
{
    (void)state;
    is_fatal(open_a_file);
    is_fatal(execute);
    is_fatal(make_a_process);
    is_fatal(trace_the_parent);
    is_fatal(signal_the_parent);
    is_fatal(have_a_descriptor_signal_the_parent);
    is_fatal(listen_somewhere);
}

/* In a thread, so that the process is what it was: it may be one that counts. The stack is given,
 * since an end that frees it makes calls of its own. */
static void in_a_thread(void *(*what)(void *), void *arg)
{
    static char stack[256 * 1024] __attribute__((aligned(4096)));
    pthread_attr_t attributes;
    pthread_t thread;
    void *fine = NULL;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    assert_int_equal(pthread_create(&thread, &attributes, what, arg), 0);
    assert_int_equal(pthread_join(thread, &fine), 0);
    assert_non_null(fine);
}

static void *use_the_filter(void *jit)
{
    static char fine, why[256];
    if (!filter_apply(jit != NULL, why, sizeof why))
        return NULL;
    bool family = socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT;
    bool code = jit != NULL && make_memory_executable() != FINE;
    return family || code || connect_somewhere() != FINE ? NULL : &fine;
}

static void the_filter_itself_lets_a_worker_work(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    in_a_thread(use_the_filter, NULL);
    in_a_thread(use_the_filter, "jit");
    assert_int_equal(open_a_file(), FINE);
}

static void no_code_can_be_made_unless_the_policy_wants_the_jit(void **state)
{
    (void)state;
    is_fatal(make_memory_executable);
    is_fine(make_memory_executable, true);
}

static void what_is_only_for_reading_stays_so(void **state)
{
    (void)state;
    is_fatal(make_memory_writable);
}

static void connections_are_what_it_is_for(void **state)
{
    (void)state;
    is_fine(connect_somewhere, false);
    is_fine(change_the_flags_of_a_descriptor, false);
}

static void other_socket_families_do_not_exist(void **state)
{
    (void)state;
    if (!INTERIM_FILTER)
        skip();
    is_fine(use_other_families, false);
}

static void what_libraries_read_at_first_use_was_read_before(void **state)
{
    (void)state;
    filter_warm();
    is_fine(use_what_is_opened_lazily, false);
}

static void a_kernel_that_offers_only_the_older_call_has_the_filter_too(void **state)
{
    int status;
    (void)state;
    if (!INTERIM_FILTER)
        skip();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(open_a_file_without_seccomp());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void a_failed_assertion_still_ends_as_one(void **state)
{
    (void)state;
    int status = fate(abort_itself, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_calls_end_the_process),
        cmocka_unit_test(the_filter_itself_lets_a_worker_work),
        cmocka_unit_test(no_code_can_be_made_unless_the_policy_wants_the_jit),
        cmocka_unit_test(what_is_only_for_reading_stays_so),
        cmocka_unit_test(connections_are_what_it_is_for),
        cmocka_unit_test(other_socket_families_do_not_exist),
        cmocka_unit_test(what_libraries_read_at_first_use_was_read_before),
        cmocka_unit_test(a_kernel_that_offers_only_the_older_call_has_the_filter_too),
        cmocka_unit_test(a_failed_assertion_still_ends_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
