/*
 * census: a tree of addresses, kept by the C library's tsearch, whose balance no choice of
 * addresses can spoil. Asked by proxy for each client it accepts.
 */
#include "net/census.h"

#include "base/sys.h"

#include <assert.h>
#include <search.h>
#include <string.h>

/* One address, for as long as it has a connection. */
struct household {
    unsigned char address[16]; /* as in IPv6; the last eight bytes zero for a /64 */
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct household *x = a;
    const struct household *y = b;
    return memcmp(x->address, y->address, sizeof x->address);
}

static void write_address(unsigned char out[16], const struct addr *peer)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct in6_addr *ip6 = &peer->to.ip6.sin6_addr;

    memset(out, 0, 16);
    if (peer->to.any.sa_family == AF_INET) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + sizeof mapped, &peer->to.ip4.sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(ip6)) {
        memcpy(out, ip6, 16);
    } else {
        memcpy(out, ip6, 8);
    }
}

static struct household *find(const struct census *c, const struct household *sought)
{
    struct household *const *found = tfind(sought, &c->tree, compare);
    return found != NULL ? *found : NULL;
}

static struct household *add(struct census *c, const struct household *sought)
{
    struct household *h = sys_malloc(sizeof *h);

    if (h == NULL)
        return NULL;
    *h = *sought;
    if (tsearch(h, &c->tree, compare) != NULL)
        return h;
    sys_free(h);
    return NULL;
}

static struct household household_of(const struct addr *peer)
{
    struct household h = {.count = 0};

    assert(peer->to.any.sa_family == AF_INET || peer->to.any.sa_family == AF_INET6);
    write_address(h.address, peer);
    return h;
}

size_t census_enter(struct census *c, const struct addr *peer)
{
    struct household sought = household_of(peer);
    struct household *h = find(c, &sought);

    if (h == NULL)
        h = add(c, &sought);
    return h != NULL ? ++h->count : 0;
}

void census_leave(struct census *c, const struct addr *peer)
{
    struct household sought = household_of(peer);
    struct household *h = find(c, &sought);

    assert(h != NULL && h->count > 0);
    if (--h->count > 0)
        return;
    tdelete(h, &c->tree, compare);
    sys_free(h);
}
