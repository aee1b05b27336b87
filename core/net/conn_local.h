/*
 * conn_local: what the files of a connection share: conn (its life, its events, reading), conn_out
 * (what is put on it), conn_pass and conduit (what is passed to it unread). For nobody else.
 */
#ifndef INTERIM_NET_CONN_LOCAL_H
#define INTERIM_NET_CONN_LOCAL_H

#include "net/conn.h"

/* Whether anything depends on the peer's taking bytes. */
static inline bool conn_awaits_peer(const struct conn *c)
{
    return c->wants_turn || conn_has_waiting(c);
}

/* Asks the kernel for the events that follow from the state of `c`: after every change of it. */
void conn_update_interest(struct conn *c);

/* So many bytes were found at once. */
void conn_note_found(struct conn *c, size_t bytes);

/* What a read found, seen with what a write was told: an end behind a reset is IO_ERR. */
enum io conn_judge_end(const struct conn *c, enum io io);

/* Gives up output for good, for the reason in errno; the owner is told from the loop. */
void conn_fail_sending(struct conn *c);

/* Sends what waits, first of it what was passed. True: nothing is left. */
bool conn_send_waiting(struct conn *c);
bool conn_send_piped(struct conn *c);

/* Draws up to `most` bytes into a pipe, if nothing waits on `to`. False: not possible here and now.
 * *io is IO_OK, then *drawn is the caller's; or what a read would have said, then it is NULL. */
bool conn_draw(struct conn *from, struct conn *to, size_t most, struct net_pipe **drawn,
               enum io *io);

/* Takes over a pipe and sends what is in it. Nothing may be gathered or waiting. */
void conn_put_pipe(struct conn *to, struct net_pipe *p);

/* Forgets what waits. */
void conn_drop_output(struct conn *c);

#endif
