/*
 * listing: writes the rows. Promises that it looks at no more than LISTING_MAX clients, however
 * many there are: a worker with ten thousand is held up for less than a millisecond.
 *
 * Next: process/admin_listing reads them.
 */
#include "proxy/listing.h"

#include "proxy/exchange.h"
#include "proxy/passage.h"

#include <stdio.h>
#include <string.h>

const char *listing_state_name(enum listing_state state)
{
    static const char *const names[LISTING_STATE_COUNT] = {
        [LISTING_IDLE] = "idle",         [LISTING_HEAD] = "head",
        [LISTING_HOOK] = "hook",         [LISTING_CONNECT] = "connect",
        [LISTING_REQUEST] = "request",   [LISTING_WAIT] = "wait",
        [LISTING_RESPONSE] = "response", [LISTING_TUNNEL] = "tunnel",
        [LISTING_CLOSING] = "closing"};
    return names[state];
}

static void put(char *out, size_t size, struct slice text)
{
    if (text.len >= size)
        text.len = size - 1;
    if (text.len > 0)
        memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

static enum listing_state state_of_exchange(const struct exchange *x)
{
    if (x->asking == ASKING_WAITS)
        return LISTING_HOOK;
    if (x->begun)
        return LISTING_RESPONSE;
    if (x->request_step <= REQUEST_STEP_CONNECT)
        return LISTING_CONNECT;
    return x->request_step == REQUEST_STEP_SENT ? LISTING_WAIT : LISTING_REQUEST;
}

static enum listing_state state_of(const struct client *c)
{
    if (c->step == CLIENT_TUNNEL)
        return LISTING_TUNNEL;
    if (c->exchange != NULL)
        return state_of_exchange(c->exchange);
    if (c->step == CLIENT_PROXY)
        return LISTING_HEAD;
    if (c->step == CLIENT_FLUSH && c->then == CLIENT_KEEPS)
        return LISTING_RESPONSE;
    if (c->step != CLIENT_HEAD)
        return LISTING_CLOSING;
    return c->head_begun ? LISTING_HEAD : LISTING_IDLE;
}

static void put_exchange(struct listing_row *row, const struct exchange *x)
{
    row->generation = x->generation->number;
    put(row->id, sizeof row->id, slice_of_string(x->id));
    put(row->method, sizeof row->method, x->request.head.method);
    put(row->path, sizeof row->path, x->request.path);
    if (x->view.upstream >= 0)
        put(row->upstream, sizeof row->upstream,
            slice_of_string(x->settings->upstreams[x->view.upstream].name));
    put(row->address, sizeof row->address, slice_of_string(origin_address(&x->origin)));
    row->bytes_in = x->result.bytes_in;
    row->bytes_out = x->result.bytes_out;
}

static void put_passage(struct listing_row *row, const struct passage *p)
{
    row->generation = p->generation->number;
    put(row->id, sizeof row->id, passage_text(p, PASSAGE_ID));
    put(row->method, sizeof row->method, passage_text(p, PASSAGE_METHOD));
    put(row->path, sizeof row->path, passage_text(p, PASSAGE_PATH));
    put(row->upstream, sizeof row->upstream,
        slice_of_string(p->generation->settings->upstreams[p->upstream].name));
    put(row->address, sizeof row->address, slice_of_string(p->address));
    row->bytes_in = p->tunnel.relay[0].bytes;
    row->bytes_out = p->tunnel.relay[1].bytes;
}

static void put_client(struct listing_row *row, const struct client *c)
{
    struct addr peer = addr_of_peer(&c->peer);
    char text[ADDR_TEXT_MAX];

    memset(row, 0, sizeof *row);
    row->since = client_entered(c);
    row->state = state_of(c);
    row->requests = c->requests;
    put(row->peer, sizeof row->peer, slice_of_string(addr_text(&peer, text)));
    if (c->step == CLIENT_TUNNEL)
        put_passage(row, c->passage);
    else if (c->exchange != NULL)
        put_exchange(row, c->exchange);
}

/* The first of a list from `at` on, or NULL behind its end. */
static const struct client *client_at(const struct list *at, const struct list *end)
{
    return at == end ? NULL : LIST_OWNER(at, struct client, node);
}

/* Both lists are in the order in which their clients entered them. */
void proxy_list_clients(const struct proxy *p, struct listing *out, uint32_t serial)
{
    const struct list *busy = p->clients.next, *idle = p->idle.next;

    out->count = 0;
    while (out->count < LISTING_MAX) {
        const struct client *b = client_at(busy, &p->clients), *i = client_at(idle, &p->idle);
        if (b == NULL && i == NULL)
            break;
        if (i == NULL || (b != NULL && client_entered(b) <= client_entered(i))) {
            put_client(&out->rows[out->count++], b);
            busy = busy->next;
        } else {
            put_client(&out->rows[out->count++], i);
            idle = idle->next;
        }
    }
    out->total = p->stats->open;
    out->serial = serial;
}
