/*
 * admission: owns when accepting rests and whom it refuses. Promises that at a limit nobody who has
 * a request under way is touched, and that nothing spins. Next on a request's way: proxy/client.
 */
#include "proxy/admission.h"

#include "base/log.h"
#include "proxy/client.h"
#include "proxy/local.h"

#include <string.h>

/* Further connections of an address that has too many are reset: an answer takes a descriptor, for
 * as long as `linger`. */
#define REFUSALS_AT_ONCE 64

/* This worker's share of limits.connections. */
static size_t most_clients(const struct proxy *p)
{
    const struct settings *s = p->current->settings;
    size_t share = settings_share(s, s->limits.connections);

    return share < p->most_clients ? share : p->most_clients;
}

bool admission_room(struct listener *l)
{
    struct proxy *p = l->owner;

    return p->stats->open < most_clients(p) || client_that_yields(p) != NULL;
}

static void note_full(struct proxy *p)
{
    if (p->full)
        return;
    p->full = true;
    p->stats->full++;
    if (proxy_may_complain(p, &p->full_logged))
        log_warning(
            "%zu clients, none of them idle (limits.connections); accepting rests until one "
            "leaves or is idle",
            most_clients(p));
}

void admission_paused(struct listener *l, int error)
{
    struct proxy *p = l->owner;

    if (error == 0) {
        note_full(p);
        return;
    }
    p->stats->accept_pauses++;
    log_warning("cannot accept: %s; trying again in a moment", strerror(error));
}

/* After the new one is there: whether one comes is not known before, where several workers share a
 * listener. */
static void make_room(struct proxy *p)
{
    struct client *idle = p->stats->open > most_clients(p) ? client_that_yields(p) : NULL;

    if (idle == NULL)
        return;
    p->stats->yielded++;
    client_kill(idle);
}

/* Counts a client at its address. False: that has too many. A local process or a proxy in front
 * speaks for many clients and is not counted. */
static bool admit(struct proxy *p, struct client *c, const struct addr *peer)
{
    const struct settings *s = p->current->settings;
    size_t most = s->limits.connections_per_address;
    size_t count;

    if (most == 0 || peer->to.any.sa_family == AF_UNIX || settings_trusts(s, peer))
        return true;
    count = census_enter(&p->census, peer);
    c->counted = count > 0 && count <= most;
    if (count > most)
        census_leave(&p->census, peer);
    return count <= most;
}

static void log_refusal(struct proxy *p, const struct addr *peer)
{
    char host[ADDR_TEXT_MAX];

    if (!proxy_may_complain(p, &p->refusal_logged))
        return;
    log_warning("%s has more than %zu connections (limits.connections_per_address); answering 503. "
                "If it is a proxy in front of this one, name it in trusted_proxies",
                addr_host(peer, host), p->current->settings->limits.connections_per_address);
}

void admission_count(struct client *c)
{
    struct proxy *p = c->proxy;
    struct addr peer = addr_of_peer(&c->peer);

    if (admit(p, c, &peer))
        return;
    p->stats->refused++;
    log_refusal(p, &peer);
    if (p->refusing < REFUSALS_AT_ONCE)
        client_refuse(c, fault_of(503, "too many connections from this address"));
    else
        client_reset(c);
}

void admission_accepted(struct listener *l, int fd, const struct addr *peer)
{
    struct proxy *p = l->owner;
    struct client *c = client_open(p, fd, peer);

    if (c == NULL) {
        log_error("no memory for a client; its connection is closed");
        return;
    }
    make_room(p);
    admission_count(c);
}

void admission_review(struct proxy *p)
{
    if (!p->full)
        return;
    p->full = false;
    for (struct list *n = p->listeners.next; n != &p->listeners; n = n->next)
        listener_resume(LIST_OWNER(n, struct listener, node));
}
