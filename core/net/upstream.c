/*
 * upstream: chooses an address and finds a connection to it.
 *
 * Promises that one search tries each address at most once. Next on a request's way: proxy/origin.
 */
#include "net/upstream.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>

static size_t choose(struct upstream *u)
{
    size_t best = u->turn % u->count;

    u->turn = best + 1;
    if (!u->least)
        return best;
    for (size_t i = 0; i < u->count; i++) {
        size_t at = (best + i) % u->count;
        if (u->addresses[at].pool.busy_count < u->addresses[best].pool.busy_count)
            best = at;
    }
    return best;
}

bool upstream_init(struct upstream *u, struct net *net, const struct addr *addresses, size_t count,
                   bool least, size_t max_idle, double max_age, uint64_t *open)
{
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

struct uplink *upstream_next(struct upstream *u, struct upstream_search *search, bool fresh,
                             const struct conn_events *events, void *owner)
{
    struct upstream_address *a;
    struct uplink *link;

    assert(search->tried < u->count);
    if (search->tried == 0)
        search->first = choose(u);
    search->index = (search->first + search->tried++) % u->count;
    a = &u->addresses[search->index];
    link = fresh ? NULL : pool_take(&a->pool);
    if (link != NULL) {
        conn_own(&link->conn, events, owner);
        return link;
    }
    link = pool_connect(&a->pool, &a->addr, events, owner);
    if (link == NULL)
        search->error = errno;
    return link;
}
