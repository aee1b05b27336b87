/*
 * admin_server: the loop of the admin process: lets clients in, up to a bound, and ends when the
 * parent lets go of it. Next on a request's way: admin_client.
 */
#include "process/admin_server.h"

#include "base/log.h"
#include "base/sys.h"
#include "process/admin_client.h"
#include "process/harden.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define CLIENTS_MAX   128
#define LEAVE_SECONDS 2.0

static _Noreturn void refuse_to_start(const char *why)
{
    log_error("%s; the admin process ends", why);
    exit(EXIT_FAILURE);
}

static bool has_room(struct listener *l)
{
    (void)l;
    return true;
}

/* Nobody who is answered takes long, so who has stayed for longest is no loss. */
static void on_accepted(struct listener *l, int fd, const struct addr *peer)
{
    struct admin_server *server = l->owner;
    (void)peer;
    if (server->count == CLIENTS_MAX)
        admin_client_close(LIST_OWNER(server->clients.next, struct admin_client, node));
    admin_client_open(server, fd);
}

static void on_paused(struct listener *l, int error)
{
    (void)l;
    log_warning("admin: cannot accept: %s; trying again in a moment", strerror(error));
}

/* All who have waited get the same. */
static void on_listed(struct admin_listing *l)
{
    struct admin_server *server = LIST_OWNER(l, struct admin_server, listing);
    struct buf out;
    buf_init(&out, OVERVIEW_TEXT_MAX);
    if (buf_room(&out, OVERVIEW_TEXT_MAX) != NULL)
        admin_listing_write(&out, l);
    for (struct list *n = server->clients.next, *next; n != &server->clients; n = next) {
        struct admin_client *c = LIST_OWNER(n, struct admin_client, node);
        next = n->next;
        if (c->step == ADMIN_WAIT)
            admin_client_answer(c, "application/json", 200, buf_slice(&out));
    }
    buf_free(&out);
}

void admin_server_await_listing(struct admin_client *c)
{
    c->step = ADMIN_WAIT;
    admin_listing_want(&c->server->listing);
}

static void end_if_over(struct admin_server *server)
{
    if (server->leaving && server->count == 0)
        exit(EXIT_SUCCESS);
}

void admin_server_left(struct admin_server *server)
{
    server->count--;
    end_if_over(server);
}

static void on_limit(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    exit(EXIT_SUCCESS);
}

static void leave(struct admin_server *server)
{
    ev_io_stop(server->net.loop, &server->control);
    listener_stop(&server->listener);
    sys_close(server->start.listener);
    server->leaving = true;
    ev_timer_start(server->net.loop, &server->limit);
    end_if_over(server);
}

static void on_control(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct admin_server *server = io->data;
    struct control_message message;
    (void)loop;
    (void)events;
    switch (control_receive(io->fd, &message)) {
    case CONTROL_GOT:
        control_drop_fds(&message);
        admin_listing_hear(&server->listing, &message);
        break;
    case CONTROL_NOTHING:
        break;
    case CONTROL_GONE:
        leave(server);
    }
}

/* As a worker is, whatever the policy may do: no policy runs here. */
static void confine(const struct admin_start *start)
{
    static struct settings strict;
    char why[256];
    strict = *start->settings;
    strict.jit = false;
    strict.allow = 0;
    if (mprotect((void *)(uintptr_t)start->board, sizeof *start->board, PROT_READ) != 0 ||
        mprotect((void *)(uintptr_t)start->slots, CREW_MAX * sizeof *start->slots, PROT_READ) != 0)
        refuse_to_start("cannot protect the shared memory");
    if (!harden_worker(&strict, why, sizeof why))
        refuse_to_start(why);
}

_Noreturn void admin_server_run(const struct admin_start *start)
{
    static struct admin_server server;
    /* For ps and top: it is no worker. */
    prctl(PR_SET_NAME, "interim-admin");
    log_open("admin", start->log_level);
    confine(start);
    server.start = *start;
    server.overview.settings = start->settings;
    server.overview.board = start->board;
    server.overview.slots = start->slots;
    list_init(&server.clients);
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    if (loop == NULL || !net_init(&server.net, loop))
        refuse_to_start("out of memory");
    server.listing.board = start->board;
    server.listing.slots = start->slots;
    server.listing.control = start->control;
    server.listing.over = on_listed;
    admin_listing_init(&server.listing, &server.net);
    server.listener.room = has_room;
    server.listener.accepted = on_accepted;
    server.listener.paused = on_paused;
    server.listener.owner = &server;
    listener_open(&server.listener, &server.net, start->listener);
    ev_io_init(&server.control, on_control, start->control, EV_READ);
    ev_timer_init(&server.limit, on_limit, LEAVE_SECONDS, 0);
    server.control.data = &server;
    ev_io_start(loop, &server.control);
    ev_run(loop, 0);
    exit(EXIT_SUCCESS);
}
