/*
 * histogram: owns the bounds, and what is reckoned from the counts.
 */
#include "proxy/histogram.h"

const double histogram_waits[HISTOGRAM_BOUNDS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100};
const double histogram_runs[HISTOGRAM_BOUNDS] = {1e-6,   2.5e-6, 5e-6,   10e-6,  25e-6,
                                                 50e-6,  100e-6, 250e-6, 500e-6, 1e-3,
                                                 2.5e-3, 5e-3,   10e-3,  25e-3,  50e-3};

void histogram_note(struct histogram *h, const double bounds[HISTOGRAM_BOUNDS], double seconds)
{
    int i = 0;

    while (i < HISTOGRAM_BOUNDS && seconds > bounds[i])
        i++;
    h->counts[i]++;
    h->sum += seconds;
}

void histogram_add(struct histogram *sum, const struct histogram *h)
{
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        sum->counts[i] += h->counts[i];
    sum->sum += h->sum;
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;

    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += h->counts[i];
    return count;
}

double histogram_quantile(const struct histogram *h, const double bounds[HISTOGRAM_BOUNDS],
                          double share)
{
    double wanted = share * (double)histogram_count(h), below = 0;

    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double here = (double)h->counts[i], least = i > 0 ? bounds[i - 1] : 0;
        if (here > 0 && below + here >= wanted)
            return least + (bounds[i] - least) * (wanted - below) / here;
        below += here;
    }
    return below > 0 || h->counts[HISTOGRAM_BOUNDS] > 0 ? bounds[HISTOGRAM_BOUNDS - 1] : 0;
}
