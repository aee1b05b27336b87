/*
 * output: owns the last look at stdout. Nobody looks at each printf; promises that all the same no
 * loss is taken for success.
 */
#include "base/output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int output_end(int status)
{
    /* A flush alone may go well: of what it could not write before, the C library keeps nothing. */
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    fprintf(stderr, "interim: the output cannot be written\n");
    return EXIT_FAILURE;
}

void output_foreign(FILE *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n' || (c >= ' ' && c <= '~'))
            putc(c, to);
        else
            fprintf(to, "\\x%02x", c);
    }
}

/* Opened anew, since others may share the open file behind it and want that to block. */
static void own(int fd)
{
    struct stat st;
    char path[32];
    if (fstat(fd, &st) != 0 || (!S_ISFIFO(st.st_mode) && isatty(fd) == 0))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0)
        return;
    dup2(opened, fd);
    close(opened);
}

void output_own(void)
{
    own(STDOUT_FILENO);
    own(STDERR_FILENO);
}
