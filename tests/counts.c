/*
 * counts: in the preset cov only, linked into the program. A process writes what it counted when it
 * ends; this sees to it that two more endings do: _exit, and the death of the parent, which ends
 * the admin process before it can end by itself. What SIGKILL ends otherwise leaves no counts.
 */
#include <gcov.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PATIENCE 5 /* seconds that writing may take; it may have interrupted malloc */

int __real_prctl(int option, ...);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

static void on_death_of_parent(int number)
{
    (void)number;
    alarm(PATIENCE);
    __wrap__exit(EXIT_FAILURE);
}

/* From here on what was counted is being written. */
static void on_exit_of_its_own(void)
{
    signal(SIGRTMAX, SIG_IGN);
}

int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    if (option == PR_SET_PDEATHSIG && a == SIGKILL) {
        signal(SIGRTMAX, on_death_of_parent);
        atexit(on_exit_of_its_own);
        a = (unsigned long)SIGRTMAX;
    }
    return __real_prctl(option, a, b, c, d);
}
