/*
 * pipe: owns the pipes that are kept while nobody has them, and the bound on all of them. Promises
 * that one that is given out is empty. Used by net/conn_pass and
 * net/conduit.
 */
#include "net/pipe.h"

#include "base/sys.h"

static void destroy(struct net *net, struct net_pipe *p)
{
    list_remove(&p->node);
    sys_close(p->fd[0]);
    sys_close(p->fd[1]);
    sys_free(p);
    net->pipe_count--;
}

static struct net_pipe *make(struct net *net)
{
    struct net_pipe *p;

    if (net->pipe_count >= net->pipes_max)
        return NULL;
    p = sys_malloc(sizeof *p);
    if (p == NULL)
        return NULL;
    if (!sys_pipe(p->fd)) {
        sys_free(p);
        return NULL;
    }
    list_init(&p->node);
    p->held = 0;
    net->pipe_count++;
    return p;
}

struct net_pipe *pipe_take(struct net *net)
{
    struct net_pipe *p;

    if (list_is_empty(&net->spare_pipes))
        return make(net);
    p = LIST_OWNER(net->spare_pipes.next, struct net_pipe, node);
    list_remove(&p->node);
    return p;
}

size_t pipe_read(struct net_pipe *p, void *bytes, size_t n)
{
    ssize_t got = sys_read(p->fd[0], bytes, n < p->held ? n : p->held);

    if (got <= 0)
        return 0;
    p->held -= (size_t)got;
    return (size_t)got;
}

size_t pipe_write(struct net_pipe *p, struct slice bytes)
{
    ssize_t put = sys_write(p->fd[1], bytes.at, bytes.len);

    if (put <= 0)
        return 0;
    p->held += (size_t)put;
    return (size_t)put;
}

size_t pipe_move(struct net_pipe *from, struct net_pipe *to, size_t n)
{
    ssize_t moved = sys_splice(from->fd[0], to->fd[1], n);

    if (moved <= 0)
        return 0;
    from->held -= (size_t)moved;
    to->held += (size_t)moved;
    return (size_t)moved;
}

static bool has_two(const struct list *l)
{
    return !list_is_empty(l) && l->next->next != l;
}

void pipe_keep_spares(struct net *net)
{
    struct net_pipe *p;

    while (!has_two(&net->spare_pipes) && (p = make(net)) != NULL)
        list_push_front(&net->spare_pipes, &p->node);
}

void pipe_give(struct net *net, struct net_pipe *p)
{
    if (p->held == 0 && !has_two(&net->spare_pipes)) {
        list_push_front(&net->spare_pipes, &p->node);
        return;
    }
    destroy(net, p);
    pipe_keep_spares(net);
}

void pipe_close_spares(struct net *net)
{
    while (!list_is_empty(&net->spare_pipes))
        destroy(net, LIST_OWNER(net->spare_pipes.next, struct net_pipe, node));
}
