/*
 * upstream: chooses an address and finds a connection to it.
 *
 * Promises that one search tries each address at most once, and those that rest last. Next on a
 * request's way: proxy/origin.
 */
#include "net/upstream.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>

static bool was_tried(const struct upstream_search *search, size_t at)
{
    return search->tried_set[at / 64] >> (at % 64) & 1;
}

/* The first address from `from` on that was not tried yet and does not rest; if all of those rest,
 * the first that was not tried. */
static size_t next_from(const struct upstream *u, const struct upstream_search *search, size_t from)
{
    size_t resting = u->count;

    for (size_t i = 0; i < u->count; i++) {
        size_t at = (from + i) % u->count;
        if (was_tried(search, at))
            continue;
        if (!health_rests(&u->addresses[at].health, u->net->now))
            return at;
        if (resting == u->count)
            resting = at;
    }
    return resting;
}

static size_t choose(struct upstream *u, const struct upstream_search *search)
{
    size_t best = next_from(u, search, u->turn % u->count);

    u->turn = best + 1;
    if (!u->least || health_rests(&u->addresses[best].health, u->net->now))
        return best;
    for (size_t i = 0; i < u->count; i++) {
        size_t at = (best + i) % u->count;
        if (!health_rests(&u->addresses[at].health, u->net->now) &&
            u->addresses[at].pool.busy_count < u->addresses[best].pool.busy_count)
            best = at;
    }
    return best;
}

bool upstream_init(struct upstream *u, struct net *net, const struct addr *addresses, size_t count,
                   bool least, size_t max_idle, double max_age, uint64_t *open)
{
    assert(count > 0 && count <= UPSTREAM_ADDRESSES);
    *u = (struct upstream){.net = net, .count = count, .least = least};
    u->addresses = sys_calloc(count, sizeof *u->addresses);
    if (u->addresses == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        u->addresses[i].addr = addresses[i];
        addr_text(&addresses[i], u->addresses[i].text);
        pool_init(&u->addresses[i].pool, net, max_idle, max_age, open);
    }
    return true;
}

void upstream_close(struct upstream *u)
{
    for (size_t i = 0; u->addresses != NULL && i < u->count; i++)
        pool_close(&u->addresses[i].pool);
    sys_free(u->addresses);
    u->addresses = NULL;
}

struct uplink *upstream_next(struct upstream *u, struct upstream_search *search,
                             const struct conn_events *events, void *owner)
{
    struct upstream_address *a;
    struct uplink *link;

    assert(search->tried < u->count);
    if (search->tried == 0)
        search->index = search->first = choose(u, search);
    else
        search->index = next_from(u, search, search->first);
    search->tried++;
    search->tried_set[search->index / 64] |= (uint64_t)1 << (search->index % 64);
    a = &u->addresses[search->index];
    link = search->fresh ? NULL : pool_take(&a->pool, search->once);
    if (link != NULL) {
        conn_own(&link->conn, events, owner);
        return link;
    }
    link = pool_connect(&a->pool, &a->addr, events, owner);
    if (link == NULL)
        search->error = errno;
    return link;
}

double upstream_failed(struct upstream *u, const struct upstream_search *search,
                       enum health_failure failure)
{
    return health_failed(&u->addresses[search->index].health, failure, u->net->now);
}

bool upstream_answered(struct upstream *u, const struct upstream_search *search)
{
    return health_answered(&u->addresses[search->index].health);
}
