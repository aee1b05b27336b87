/*
 * view: a running interim on one screen of text, for `interim status` and `interim top`.
 */
#ifndef INTERIM_PROCESS_VIEW_H
#define INTERIM_PROCESS_VIEW_H

#include "process/sample.h"

struct view {
    const struct sample *now;
    const struct sample *before; /* NULL: totals are shown instead of what passes in a second */
    double seconds;              /* between the two */
    double time;                 /* seconds since 1970 */
};

/* Appends lines of printable ASCII. */
void view_write(struct buf *out, const struct view *v);

#endif
