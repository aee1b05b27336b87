/*
 * output: owns the last look at stdout. Nobody looks at each printf; promises that all the same no
 * loss is taken for success.
 */
#include "base/output.h"

#include <stdio.h>
#include <stdlib.h>

int output_end(int status)
{
    /* A flush alone may go well: of what it could not write before, the C library keeps nothing. */
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    fprintf(stderr, "interim: the output cannot be written\n");
    return EXIT_FAILURE;
}
