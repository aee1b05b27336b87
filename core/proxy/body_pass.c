/*
 * body_pass: the data of a large body from one connection to the other without being read, as far
 * as it is known where it ends: all of a body with a length; of large chunks what is between the
 * lines that frame them, which are read and written anew.
 */
#include "proxy/body.h"

#include "net/conduit.h"

/* More at a time would keep other connections waiting. */
#define PASS_MOST (1u << 20)

/* A chunk as large as this lets expect another. */
static bool is_large(const struct body_reader *r, const struct net *net)
{
    return r->chunk.size >= net->pass_least / 8;
}

/* Less data is cheaper copied together with what frames it. */
static size_t piece_least(const struct net *net)
{
    return net->pass_least / 64;
}

size_t body_passable(const struct body_reader *r, const struct conn *from)
{
    const struct net *net = from->net;

    if (r->kind == FRAMING_LENGTH && r->left >= net->pass_least)
        return r->left < PASS_MOST ? (size_t)r->left : PASS_MOST;
    /* Of chunks, some may have to be copied and held after all. */
    if (r->kind == FRAMING_CHUNKED && is_large(r, net) && from->plenty &&
        net_read_size(net) == NET_READ_SIZE)
        return BODY_BEHIND_MAX;
    return 0;
}

static bool pass_length(struct body_reader *r, struct conn *from, struct conn *to, size_t most,
                        struct body_passed *passed)
{
    struct conn_passed p;

    if (!conn_pass(from, to, most, &p))
        return false;
    r->left -= p.bytes;
    *passed = (struct body_passed){p.io, r->left == 0 ? BODY_END : BODY_MORE, .bytes = p.bytes};
    return true;
}

/* Chunks on their way through a conduit. */
struct passing {
    struct conduit conduit;
    bool framed;  /* they are chunks on the other side, too */
    bool open;    /* the end of the latest is still to be written */
    size_t bytes; /* of data */
};

/* What stands before `size` bytes of data: the end of the chunk before, and the line of theirs. */
static void put_line(struct passing *p, size_t size)
{
    char text[2 + CHUNK_LINE_MAX] = "\r\n";
    size_t len = 2 + chunk_write_line(text + 2, size);

    p->bytes += size;
    if (!p->framed)
        return;
    conduit_put(&p->conduit, slice_skip(slice_of(text, len), p->open ? 0 : 2));
    p->open = true;
}

static void put_data(struct passing *p, const struct slice *data, size_t count)
{
    size_t size = slice_total(data, count);

    if (size > 0)
        put_line(p, size);
    for (size_t i = 0; i < count; i++)
        conduit_put(&p->conduit, data[i]);
}

/* Until nothing is left in the conduit, or the body is over; then *behind was read behind it. */
static enum body_event pump(struct body_reader *r, struct passing *p, struct slice *behind)
{
    struct conduit *d = &p->conduit;
    const struct net *net = d->to->net;
    enum body_event event = BODY_MORE;
    struct slice data[BODY_PIECES];
    size_t count;

    while (event == BODY_MORE && conduit_left(d) > 0) {
        uint64_t ahead = chunk_ahead(&r->chunk);
        size_t n = ahead < conduit_left(d) ? (size_t)ahead : conduit_left(d);

        if (n >= piece_least(net)) {
            put_line(p, n);
            conduit_pass(d, n);
            chunk_skip(&r->chunk, n);
            continue;
        }
        /* Small chunks have come. */
        if (!is_large(r, net))
            conduit_send(d);
        *behind = conduit_read(d, is_large(r, net) ? n + chunk_gap(r->chunk.size) : SIZE_MAX);
        while (event == BODY_MORE && behind->len > 0) {
            event = body_read(r, behind, data, &count);
            put_data(p, data, count);
        }
    }
    if (p->open)
        conduit_put(d, SLICE("\r\n"));
    return event;
}

static bool keep(struct conduit *d, struct slice behind, struct buf *in)
{
    bool kept = buf_append_slice(in, behind);

    while (kept && conduit_left(d) > 0)
        kept = buf_append_slice(in, conduit_read(d, SIZE_MAX));
    return kept;
}

static bool pass_chunks(struct body_reader *r, struct conn *from, struct body_way way, size_t most,
                        struct buf *in, struct body_passed *passed)
{
    struct slice behind = {NULL, 0};
    struct passing p = {.framed = way.kind == FRAMING_CHUNKED};

    *passed = (struct body_passed){.event = BODY_MORE};
    if (!conduit_open(&p.conduit, from, way.to, most, &passed->io))
        return false;
    if (passed->io != IO_OK)
        return true;
    passed->event = pump(r, &p, &behind);
    passed->lost = passed->event == BODY_END && !keep(&p.conduit, behind, in);
    passed->bytes = p.bytes;
    if (!conduit_close(&p.conduit))
        *passed = (struct body_passed){IO_ERR, BODY_MORE, .bytes = p.bytes};
    return true;
}

bool body_pass(struct body_reader *r, struct conn *from, struct body_way way, size_t most,
               struct buf *in, struct body_passed *passed)
{
    if (way.to == NULL)
        return false;
    if (r->kind == FRAMING_LENGTH && way.kind == FRAMING_LENGTH)
        return pass_length(r, from, way.to, most, passed);
    if (r->kind == FRAMING_CHUNKED && (way.kind == FRAMING_CHUNKED || way.kind == FRAMING_CLOSE))
        return pass_chunks(r, from, way, most, in, passed);
    return false;
}
