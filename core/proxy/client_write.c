/*
 * client_write: what an exchange says to its client, as HTTP/1.
 *
 * Promises that heads are written by http/rewrite alone and bodies framed as their head said. What
 * is put here is sent by net_flush.
 */
#include "proxy/body.h"
#include "proxy/client_local.h"

#include <assert.h>

bool client_is_blocked(struct client *c)
{
    return conn_is_blocked(&c->conn);
}

bool client_interim(struct client *c, const struct head *head, struct slice via)
{
    struct buf *out = &c->conn.net->head;

    buf_clear(out);
    if (!rewrite_interim(out, head, via))
        return false;
    conn_put_copy(&c->conn, buf_slice(out));
    return true;
}

void client_continue(struct client *c)
{
    conn_put(&c->conn, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

bool client_begin(struct client *c, const struct rewrite_response *r)
{
    struct buf *out = &c->conn.net->head;

    buf_clear(out);
    if (!rewrite_response(out, r))
        return false;
    c->writing = r->framing.kind;
    conn_put_copy(&c->conn, buf_slice(out));
    return true;
}

void client_body(struct client *c, const struct slice *data, size_t count)
{
    body_write(&c->conn, c->writing, data, count);
}

void client_end(struct client *c, struct slice trailers)
{
    body_write_end(&c->conn, c->writing, trailers);
}

struct body_way client_way(struct client *c)
{
    return (struct body_way){&c->conn, c->writing};
}

bool client_switch(struct client *c, const struct head *head, struct slice via,
                   struct passage *passage, struct slice *early)
{
    struct buf *out = &c->conn.net->head;

    buf_clear(out);
    if (!rewrite_switching(out, head, via))
        return false;
    conn_put_copy(&c->conn, buf_slice(out));
    c->step = CLIENT_TUNNEL;
    c->exchange = NULL;
    c->passage = passage;
    *early = buf_slice(&c->in);
    return true;
}

void client_forget_early(struct client *c)
{
    assert(c->input == NULL);
    /* Gathered output may point into it. */
    net_flush(c->conn.net);
    buf_free(&c->in);
    client_weigh(c);
}

void client_cut(struct client *c)
{
    /* A body that only an end would end must not look complete. */
    if (c->writing == FRAMING_CLOSE)
        conn_reset(&c->conn);
    else
        conn_close(&c->conn);
}
