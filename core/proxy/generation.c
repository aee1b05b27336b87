/*
 * generation: counts who still runs under it, and ends when nobody does.
 */
#include "proxy/generation.h"

#include "base/sys.h"

_Static_assert(SETTINGS_ADDRESSES <= UPSTREAM_ADDRESSES, "one upstream may have all of them");

static void close_upstreams(struct generation *g)
{
    for (size_t i = 0; i < g->settings->upstream_count; i++)
        upstream_close(&g->upstreams[i]);
}

static void reap_generation(struct doom *d)
{
    struct generation *g = LIST_OWNER(d, struct generation, doom);
    void (*gone)(void *) = g->gone;
    void *arg = g->arg;

    close_upstreams(g);
    list_remove(&g->node);
    g->stats->generations--;
    if (g->policy != NULL)
        g->policy->ops->free(g->policy);
    sys_free(g);
    if (gone != NULL)
        gone(arg);
}

static void count_origins(struct generation *g, const struct settings_upstream *u)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = u->first; i < u->first + u->count; i++)
        g->origins[i] =
            stats_origin(g->stats, u->name, addr_text(&g->settings->addresses[i], text));
}

struct generation *generation_new(struct net *net, const struct settings *settings,
                                  struct policy *policy, uint64_t number, struct stats *stats,
                                  void (*gone)(void *arg), void *arg)
{
    struct generation *g = sys_calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    list_init(&g->node);
    g->net = net;
    g->stats = stats;
    g->settings = settings;
    g->policy = policy;
    g->number = number;
    g->holders = 1;
    g->gone = gone;
    g->arg = arg;
    for (size_t i = 0; i < settings->upstream_count; i++) {
        const struct settings_upstream *u = &settings->upstreams[i];
        /* A connection that began with a PROXY header is one client's. */
        size_t max_idle =
            u->proxy_protocol == PROXY_VERSION_NONE ? settings->limits.upstream_idle : 0;
        if (!upstream_init(&g->upstreams[i], net, &settings->addresses[u->first], u->count,
                           u->balance == BALANCE_LEAST, max_idle, u->timeouts.upstream_idle,
                           &stats->upstream_open)) {
            close_upstreams(g);
            sys_free(g);
            return NULL;
        }
        count_origins(g, u);
    }
    stats->generations++;
    return g;
}

void generation_hold(struct generation *g)
{
    g->holders++;
}

void generation_release(struct generation *g)
{
    if (--g->holders == 0)
        net_doom(g->net, &g->doom, reap_generation);
}
