/*
 * net: gathers output and sends it, keeps the clock, reaps what is over.
 *
 * Promises that gathered output leaves before the buffer it borrows from is read into again or
 * freed, and that whatever was doomed is freed outside every callback.
 */
#include "net/net.h"

#include "base/sys.h"
#include "net/conn.h"
#include "net/pipe.h"

#include <assert.h>
#include <string.h>

static void reap(struct net *net)
{
    while (net->doomed != NULL) {
        struct doom *d = net->doomed;
        net->doomed = d->next;
        if (net->doomed == NULL)
            net->doomed_end = &net->doomed;
        d->reap(d);
    }
}

/* What was gathered may point into what is freed. */
static void flush_and_reap(struct net *net)
{
    net_flush(net);
    reap(net);
}

static void behind_event(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)loop;
    (void)events;
    flush_and_reap(w->data);
}

static void after_sleep(struct ev_loop *loop, ev_check *w, int events)
{
    struct net *net = w->data;
    (void)loop;
    (void)events;
    net->now = sys_monotonic();
}

bool net_init(struct net *net, struct ev_loop *loop)
{
    memset(net, 0, sizeof *net);
    net->loop = loop;
    net->now = sys_monotonic();
    net->waiting_max = SIZE_MAX;
    net->doomed_end = &net->doomed;
    list_init(&net->pools);
    list_init(&net->spare_pipes);
    net->pipes_max = NET_PIPES;
    net->pass_least = NET_PASS_LEAST;
    net->read_buffer = sys_malloc(NET_READ_SIZE);
    net->scratch = sys_malloc(NET_SCRATCH_SIZE);
    buf_init(&net->head, 4u << 20);
    if (net->read_buffer == NULL || net->scratch == NULL) {
        sys_free(net->read_buffer);
        sys_free(net->scratch);
        return false;
    }
    ev_prepare_init(&net->prepare, behind_event);
    net->prepare.data = net;
    ev_prepare_start(loop, &net->prepare);
    ev_check_init(&net->check, after_sleep);
    /* The clock must be right before any other callback of the turn. */
    ev_set_priority(&net->check, EV_MAXPRI);
    net->check.data = net;
    ev_check_start(loop, &net->check);
    return true;
}

void net_free(struct net *net)
{
    flush_and_reap(net);
    pipe_close_spares(net);
    ev_prepare_stop(net->loop, &net->prepare);
    ev_check_stop(net->loop, &net->check);
    sys_free(net->read_buffer);
    sys_free(net->scratch);
    buf_free(&net->head);
}

size_t net_read_size(const struct net *net)
{
    size_t half = net->waiting_max / 2;
    size_t left = net->waiting < net->waiting_max ? net->waiting_max - net->waiting : 0;

    if (left >= half && left > 0)
        return NET_READ_SIZE;
    if (half < NET_READ_SIZE)
        return NET_READ_LEAST;
    left = left / (half / NET_READ_SIZE);
    if (left < NET_READ_LEAST)
        return NET_READ_LEAST;
    return left < NET_READ_SIZE ? left : NET_READ_SIZE;
}

void net_doom(struct net *net, struct doom *d, void (*reap_it)(struct doom *d))
{
    if (d->reap != NULL)
        return;
    d->reap = reap_it;
    d->next = NULL;
    /* Of what is pending libev calls the latest first: this comes right behind the callback that
     * runs now, whoever's it is. Should it not, the loop's own comes before it sleeps. */
    if (net->doomed == NULL)
        ev_feed_event(net->loop, &net->prepare, EV_PREPARE);
    *net->doomed_end = d;
    net->doomed_end = &d->next;
}
