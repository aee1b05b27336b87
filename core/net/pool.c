/*
 * pool: keeps idle connections to one address and watches them while they are idle.
 *
 * Promises that a connection is in exactly one of three places: idle here, busy with one owner, or
 * doomed. Taken by net/upstream for proxy/origin.
 */
#include "net/pool.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>

static void reap_uplink(struct doom *d)
{
    sys_free(LIST_OWNER(d, struct uplink, doom));
}

static void leave(struct uplink *u)
{
    if (u->idle) {
        list_remove(&u->node);
        u->pool->idle_count--;
    } else {
        u->pool->busy_count--;
    }
}

static void idle_readable(struct conn *c)
{
    pool_discard(LIST_OWNER(c, struct uplink, conn));
}

static const struct conn_events idle_events = {idle_readable, idle_readable, idle_readable, NULL};

static void watch_oldest(struct pool *p)
{
    if (!list_is_empty(&p->idle)) {
        const struct uplink *u = LIST_OWNER(p->idle.prev, struct uplink, node);
        deadline_set(&p->oldest, u->since + p->max_age - p->net->now + 0.001);
    }
}

static void on_oldest(struct deadline *d, void *owner)
{
    struct pool *p = owner;
    (void)d;

    while (!list_is_empty(&p->idle)) {
        struct uplink *u = LIST_OWNER(p->idle.prev, struct uplink, node);
        if (u->since + p->max_age > p->net->now)
            break;
        pool_discard(u);
    }
    watch_oldest(p);
}

void pool_init(struct pool *p, struct net *net, size_t max_idle, double max_age, uint64_t *open)
{
    *p = (struct pool){.net = net, .max_idle = max_idle, .max_age = max_age, .open = open};
    list_init(&p->idle);
    list_push_back(&net->pools, &p->node);
    deadline_init(&p->oldest, net, on_oldest, p);
}

void pool_close(struct pool *p)
{
    while (!list_is_empty(&p->idle))
        pool_discard(LIST_OWNER(p->idle.next, struct uplink, node));
    assert(p->busy_count == 0);
    deadline_stop(&p->oldest);
    list_remove(&p->node);
}

/* Closes an idle connection of any pool. False: there is none. */
static bool make_room(struct net *net)
{
    for (struct list *n = net->pools.next; n != &net->pools; n = n->next) {
        struct pool *p = LIST_OWNER(n, struct pool, node);
        if (!list_is_empty(&p->idle)) {
            pool_discard(LIST_OWNER(p->idle.prev, struct uplink, node));
            return true;
        }
    }
    return false;
}

static bool open_one(struct uplink *u, struct net *net, const struct addr *to,
                     const struct conn_events *events, void *owner)
{
    if (conn_connect(&u->conn, net, to, events, owner))
        return true;
    return (errno == EMFILE || errno == ENFILE) && make_room(net) &&
           conn_connect(&u->conn, net, to, events, owner);
}

struct uplink *pool_take(struct pool *p, bool once)
{
    while (!list_is_empty(&p->idle)) {
        struct uplink *u = LIST_OWNER(p->idle.next, struct uplink, node);
        /* In this same turn of the loop it ended, or said what no request asked for. */
        if (conn_has_news(&u->conn) || (once && !conn_is_silent_now(&u->conn))) {
            pool_discard(u);
            continue;
        }
        leave(u);
        u->idle = false;
        u->reused = true;
        p->busy_count++;
        return u;
    }
    return NULL;
}

struct uplink *pool_connect(struct pool *p, const struct addr *to, const struct conn_events *events,
                            void *owner)
{
    struct uplink *u = sys_calloc(1, sizeof *u);

    if (u == NULL)
        return NULL;
    if (!open_one(u, p->net, to, events, owner)) {
        sys_free(u);
        return NULL;
    }
    u->pool = p;
    list_init(&u->node);
    p->busy_count++;
    ++*p->open;
    return u;
}

void pool_give(struct uplink *u)
{
    struct pool *p = u->pool;

    /* What came unseen belongs to no request, and may be taken for an answer to the next, which can
     * be there before the loop looks again. */
    if (p->idle_count >= p->max_idle || conn_is_blocked(&u->conn) || u->conn.write_failed ||
        !conn_is_silent(&u->conn)) {
        pool_discard(u);
        return;
    }
    leave(u);
    conn_own(&u->conn, &idle_events, p);
    u->since = p->net->now;
    u->idle = true;
    list_push_front(&p->idle, &u->node);
    p->idle_count++;
    conn_read_on(&u->conn);
    if (!deadline_is_set(&p->oldest))
        watch_oldest(p);
}

void pool_discard(struct uplink *u)
{
    if (u->doom.reap != NULL)
        return;
    leave(u);
    --*u->pool->open;
    conn_close(&u->conn);
    net_doom(u->conn.net, &u->doom, reap_uplink);
}
