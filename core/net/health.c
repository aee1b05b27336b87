/*
 * health: owns how long an address rests. Next: net/upstream passes over those that do.
 */
#include "net/health.h"

bool health_rests(const struct health *h, double now)
{
    return h->until > now;
}

double health_failed(struct health *h, enum health_failure failure, double now)
{
    double rest = HEALTH_REST_FIRST;

    if (failure == HEALTH_SILENT && ++h->silences < HEALTH_SILENCES)
        return 0;
    /* Requests that were sent there before it rested tell nothing new. */
    if (health_rests(h, now))
        return 0;
    for (unsigned i = 0; i < h->rests && rest < HEALTH_REST_MAX; i++)
        rest *= 2;
    if (rest > HEALTH_REST_MAX)
        rest = HEALTH_REST_MAX;
    h->rests++;
    h->until = now + rest;
    return rest;
}

bool health_answered(struct health *h)
{
    bool news = h->rests > 0;

    *h = (struct health){0};
    return news;
}
