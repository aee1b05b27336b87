/*
 * overview: all there is to see of a running interim, gathered from the memory that its processes
 * share, and its form as JSON. Nobody is asked, so it costs traffic nothing.
 */
#ifndef INTERIM_PROCESS_OVERVIEW_H
#define INTERIM_PROCESS_OVERVIEW_H

#include "base/buf.h"
#include "process/board.h"

struct overview {
    const struct settings *settings;
    const struct board *board;
    const struct crew_slot *slots;
    struct stats sum; /* of all workers */
    double now;       /* seconds since 1970 */
    double monotonic;
};

/* Fills the rest of *out from settings, board and slots. */
void overview_gather(struct overview *out);

/* True while an address is passed over in favour of others. */
bool overview_rests(const struct overview *o, const struct origin_stats *origin);

/* No text about an overview is longer, whatever its names are. */
#define OVERVIEW_TEXT_MAX (8u << 20)

/* `out` has room for OVERVIEW_TEXT_MAX. Counters that are summed while workers count may be a
 * moment apart from each other. */
void overview_write_json(struct buf *out, const struct overview *o);

/* A JSON string with its quotes. What is no printable ASCII becomes \u00xx, byte by byte. */
void overview_write_string(struct buf *out, const char *text);

#endif
