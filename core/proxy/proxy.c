/*
 * proxy: one worker's listeners, clients and generations; the Date; draining. Who is let in is
 * decided in admission.
 */
#include "base/log.h"
#include "base/sys.h"
#include "net/listener.h"
#include "net/pipe.h"
#include "proxy/admission.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/local.h"
#include "proxy/passage.h"
#include "proxy/pulse.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define QUIET_SECONDS 10

struct slice proxy_date(struct proxy *p)
{
    if (p->net.now >= p->date_until) {
        double now = sys_realtime();
        time_t second = (time_t)now;
        struct tm tm;
        p->date_until = p->net.now + 1 - (now - (double)second);
        gmtime_r(&second, &tm);
        strftime(p->date, sizeof p->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return slice_of_string(p->date);
}

struct proxy *proxy_new(struct ev_loop *loop, struct stats *stats, int access_fd, unsigned worker)
{
    struct proxy *p = sys_calloc(1, sizeof *p);
    uint64_t start = 0;

    if (p == NULL)
        return NULL;
    if (!net_init(&p->net, loop)) {
        sys_free(p);
        return NULL;
    }
    p->net.beat = pulse_beat;
    p->stats = stats;
    access_init(&p->access, &p->net, access_fd, stats);
    list_init(&p->generations);
    list_init(&p->listeners);
    list_init(&p->clients);
    list_init(&p->idle);
    p->most_clients = SIZE_MAX;
    list_init(&p->exchanges);
    list_init(&p->spare);
    /* Ids differ between workers and between runs; a failure only makes them less so. */
    (void)!getrandom(&start, sizeof start, GRND_NONBLOCK);
    p->next_id = ((uint64_t)worker << 56) | (start >> 8 & ~(uint64_t)0xffffff);
    return p;
}

static void close_listeners(struct proxy *p)
{
    while (!list_is_empty(&p->listeners)) {
        struct listener *l = LIST_OWNER(p->listeners.next, struct listener, node);
        listener_stop(l);
        list_remove(&l->node);
        sys_free(l);
    }
}

void proxy_free(struct proxy *p)
{
    p->drained = NULL;
    close_listeners(p);
    while (!list_is_empty(&p->clients))
        client_kill(LIST_OWNER(p->clients.next, struct client, node));
    while (!list_is_empty(&p->idle))
        client_kill(LIST_OWNER(p->idle.next, struct client, node));
    /* Exchanges whose log hook waits have no client any more. */
    for (struct list *n = p->exchanges.next; n != &p->exchanges; n = n->next)
        exchange_abandon(LIST_OWNER(n, struct exchange, node));
    if (p->current != NULL)
        generation_release(p->current);
    p->current = NULL;
    net_free(&p->net);
    exchange_free_spare(p);
    access_free(&p->access);
    sys_free(p);
}

bool proxy_may_complain(const struct proxy *p, double *last)
{
    if (*last > 0 && p->net.now < *last + QUIET_SECONDS)
        return false;
    *last = p->net.now;
    return true;
}

static size_t close_tunnels(struct proxy *p, const struct generation *g)
{
    size_t closed = 0;
    struct list *n;
    struct list *next;

    for (n = p->clients.next; n != &p->clients; n = next) {
        struct client *c = LIST_OWNER(n, struct client, node);
        next = n->next;
        if (c->step == CLIENT_TUNNEL && c->passage->generation == g) {
            passage_close(c->passage, "its policy is too old");
            closed++;
        }
    }
    return closed;
}

/* Those whose body is on its way to the client. */
static size_t cut_responses(struct proxy *p, const struct generation *g)
{
    size_t cut = 0;

    for (struct list *n = p->exchanges.next; n != &p->exchanges; n = n->next) {
        struct exchange *x = LIST_OWNER(n, struct exchange, node);
        if (x->generation == g && x->response_step == RESPONSE_STEP_BODY) {
            exchange_cut(x, "its policy is too old");
            cut++;
        }
    }
    return cut;
}

static void note_too_old(const struct generation *g, size_t most, const char *ends, size_t count,
                         const char *what)
{
    if (count > 0)
        log_warning("policy generation %llu is older than the newest %zu (limits.generations); "
                    "%s its %zu %s%s",
                    (unsigned long long)g->number, most, ends, count, what, count == 1 ? "" : "s");
}

/* Tunnels can hold a generation for days, and responses that never end: all else has a deadline. */
static void bound_generations(struct proxy *p)
{
    size_t most = p->current->settings->limits.generations;
    size_t alive = 0;

    for (struct list *n = p->generations.prev; n != &p->generations; n = n->prev) {
        const struct generation *g = LIST_OWNER(n, struct generation, node);
        if (g->holders == 0 || ++alive <= most)
            continue;
        note_too_old(g, most, "closing", close_tunnels(p, g), "tunnel");
        note_too_old(g, most, "cutting", cut_responses(p, g), "response");
    }
}

bool proxy_use(struct proxy *p, const struct settings *settings, struct policy *policy,
               uint64_t generation, void (*gone)(void *arg), void *arg)
{
    struct generation *g =
        generation_new(&p->net, settings, policy, generation, p->stats, gone, arg);

    if (g == NULL)
        return false;
    list_push_back(&p->generations, &g->node);
    if (p->current != NULL)
        generation_release(p->current);
    p->current = g;
    p->net.waiting_max = settings->limits.buffered;
    bound_generations(p);
    admission_review(p);
    return true;
}

void proxy_bound(struct proxy *p, size_t clients, size_t pipes)
{
    p->most_clients = clients;
    p->net.pipes_max = pipes;
    pipe_keep_spares(&p->net);
}

bool proxy_listen(struct proxy *p, int fd)
{
    struct listener *l = sys_calloc(1, sizeof *l);

    assert(p->current != NULL);
    if (l == NULL)
        return false;
    l->room = admission_room;
    l->accepted = admission_accepted;
    l->paused = admission_paused;
    l->owner = p;
    list_push_back(&p->listeners, &l->node);
    listener_open(l, &p->net, fd);
    return true;
}

void proxy_unlisten(struct proxy *p, int fd)
{
    for (struct list *n = p->listeners.next; n != &p->listeners; n = n->next) {
        struct listener *l = LIST_OWNER(n, struct listener, node);
        if (l->fd != fd)
            continue;
        listener_drain(l);
        list_remove(&l->node);
        sys_free(l);
        return;
    }
}

/* A log hook may wait when its client has left. */
void proxy_check_drained(struct proxy *p)
{
    if (p->draining && p->drained != NULL && list_is_empty(&p->clients) &&
        list_is_empty(&p->idle) && list_is_empty(&p->exchanges)) {
        void (*done)(void *) = p->drained;
        p->drained = NULL;
        done(p->drained_arg);
    }
}

void proxy_client_closed(struct proxy *p)
{
    admission_review(p);
    proxy_check_drained(p);
}

void proxy_drain(struct proxy *p, void (*done)(void *arg), void *arg)
{
    struct list *n;
    struct list *next;

    while (!list_is_empty(&p->listeners))
        proxy_unlisten(p, LIST_OWNER(p->listeners.next, struct listener, node)->fd);
    p->draining = true;
    for (n = p->idle.next; n != &p->idle; n = next) {
        next = n->next;
        client_retire(LIST_OWNER(n, struct client, node));
    }
    p->drained = done;
    p->drained_arg = arg;
    proxy_check_drained(p);
}
