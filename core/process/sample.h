/*
 * sample: what /metrics said at one moment, to be looked up by name.
 */
#ifndef INTERIM_PROCESS_SAMPLE_H
#define INTERIM_PROCESS_SAMPLE_H

#include "base/buf.h"
#include "proxy/histogram.h"

/* No name of ours is longer, whatever upstreams are called: each byte of theirs takes up to five.
 */
#define SAMPLE_NAME_MAX 1536

/* One line: `name` is all before the value, its labels included, without "interim_". */
struct sample_line {
    struct slice name;
    double value;
};

struct sample {
    struct buf text; /* the lines borrow from it */
    struct sample_line *lines;
    size_t count;
};

/* Takes the text over, also when it fails. False: no memory. */
bool sample_read(struct sample *s, struct buf *text);
void sample_free(struct sample *s); /* all zero is fine */

/* 0 for what is not there. */
double sample_value(const struct sample *s, const char *name);

/* The first line whose name begins so, in the order of bytes; the others follow it. NULL: none. */
const struct sample_line *sample_first(const struct sample *s, const char *prefix);

/* The line behind it, if that begins so, too. */
const struct sample_line *sample_next(const struct sample *s, const struct sample_line *line,
                                      const char *prefix);

/* The value of a label in a line's name; empty if it has none. As it is written: escaped. */
struct slice sample_label(const struct sample_line *line, const char *label);

/* A histogram; `labels` is "" or ends in a comma. */
void sample_histogram(const struct sample *s, const char *name, struct slice labels,
                      const double bounds[HISTOGRAM_BOUNDS], struct histogram *out);

#endif
