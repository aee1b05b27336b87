/*
 * histogram: how long something took, how often. Plain data in shared memory: counts by upper
 * bound, and their sum.
 */
#ifndef INTERIM_PROXY_HISTOGRAM_H
#define INTERIM_PROXY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 15

/* Upper bounds in seconds, ascending. */
extern const double histogram_waits[HISTOGRAM_BOUNDS]; /* on the network: 1 ms to 100 s */
extern const double histogram_runs[HISTOGRAM_BOUNDS];  /* on the CPU: 1 µs to 50 ms */

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each its own; the last is above all bounds */
    double sum;                            /* seconds */
};

/* A histogram keeps to one set of bounds. */
void histogram_note(struct histogram *h, const double bounds[HISTOGRAM_BOUNDS], double seconds);

void histogram_add(struct histogram *sum, const struct histogram *h);
uint64_t histogram_count(const struct histogram *h);

/* About the value below which that share (0 to 1) of all lie: linear within a bucket. 0: none. */
double histogram_quantile(const struct histogram *h, const double bounds[HISTOGRAM_BOUNDS],
                          double share);

#endif
