/*
 * admin_server: the process that answers on the admin listener. It reads what the others share and
 * can change nothing: both memories are mapped for reading only, and its filter keeps them so.
 */
#ifndef INTERIM_PROCESS_ADMIN_SERVER_H
#define INTERIM_PROCESS_ADMIN_SERVER_H

#include "net/listener.h"
#include "process/admin_listing.h"
#include "process/overview.h"

/* What it starts with. */
struct admin_start {
    const struct settings *settings;
    int listener;
    int control; /* its end: leave */
    const struct board *board;
    const struct crew_slot *slots;
    enum log_level log_level;
};

struct admin_client;

struct admin_server {
    struct admin_start start;
    struct net net;
    struct listener listener;
    struct ev_io control;
    struct ev_timer limit; /* of leaving */
    struct list clients;   /* the oldest first */
    size_t count;
    bool leaving;
    struct admin_listing listing;
    struct overview overview; /* room for it: it is large */
};

/* Runs in the child that child_fork made, with the listener and the control socket kept. */
_Noreturn void admin_server_run(const struct admin_start *start);

/* For admin_pages: a client waits for the listing. */
void admin_server_await_listing(struct admin_client *c);

/* For admin_client: one is gone, and its memory goes when the loop sleeps. */
void admin_server_left(struct admin_server *server);

#endif
