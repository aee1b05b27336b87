/*
 * client_local: what the files of a client share. Nobody else includes it.
 */
#ifndef INTERIM_PROXY_CLIENT_LOCAL_H
#define INTERIM_PROXY_CLIENT_LOCAL_H

#include "proxy/client.h"
#include "proxy/local.h"

#define CLIENT_MAGIC 0xc11e47u

/* How much is read ahead of an exchange that cannot take it yet: enough to notice that the client
 * left, and to have a small body at hand. */
#define CLIENT_HOLD_MAX 16384

/* For the moments without an exchange, which has settings of its own. */
static inline const struct settings *client_settings(const struct client *c)
{
    return c->proxy->current->settings;
}

/* ---- client.c ---- */

/* Without an exchange: closes at once, so that it shows if output was still waiting. */
void client_close(struct client *c);

/* The client left, or cannot be written to. */
void client_gone(struct client *c);

/* To the end of a list: proxy.idle, or proxy.clients. */
void client_enter(struct client *c, struct list *list);
void client_become_idle(struct client *c);

/* Between requests, and there will be no other: closes once everything was taken. */
void client_end_idle(struct client *c);

/* Between requests, with another at hand: it is looked at in a later turn of the loop. */
void client_wait_turn(struct client *c);

/* ---- client_read.c ---- */

void client_on_readable(struct conn *conn);

/* To be called when much more, or nothing more is held: keeps proxy.laden. */
void client_weigh(struct client *c);

/* Works on what is held. */
void client_work_on_held(struct client *c);

/* What its step means for reading, and for the end of the connection. */
void client_settle(struct client *c);

#endif
