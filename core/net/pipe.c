/*
 * pipe: owns the one pipe that is kept while nobody has it, and the bound on all of them. Promises
 * that one that is given out is empty. Used by net/conn_pass.
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

void pipe_keep_spare(struct net *net)
{
    struct net_pipe *p = list_is_empty(&net->spare_pipes) ? make(net) : NULL;

    if (p != NULL)
        list_push_front(&net->spare_pipes, &p->node);
}

void pipe_give(struct net *net, struct net_pipe *p)
{
    if (p->held == 0 && list_is_empty(&net->spare_pipes)) {
        list_push_front(&net->spare_pipes, &p->node);
        return;
    }
    destroy(net, p);
    pipe_keep_spare(net);
}

void pipe_close_spare(struct net *net)
{
    if (!list_is_empty(&net->spare_pipes))
        destroy(net, LIST_OWNER(net->spare_pipes.next, struct net_pipe, node));
}
