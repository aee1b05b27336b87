/*
 * body: de-frames and re-frames. Promises that a body is over exactly where http/framing said, and
 * that what one side wrote as framing never reaches the other.
 */
#include "proxy/body.h"

#include "http/rewrite.h"

void body_reader_init(struct body_reader *r, struct framing framing)
{
    r->kind = framing.kind;
    r->left = framing.length;
    r->why = NULL;
    chunk_init(&r->chunk);
    buf_init(&r->trailers, CHUNK_TRAILER_MAX);
}

void body_reader_free(struct body_reader *r)
{
    buf_free(&r->trailers);
}

static enum body_event read_length(struct body_reader *r, struct slice *in, struct slice *data,
                                   size_t *count)
{
    size_t n = in->len < r->left ? in->len : (size_t)r->left;

    if (n > 0)
        data[(*count)++] = slice_of(in->at, n);
    *in = slice_skip(*in, n);
    r->left -= n;
    return r->left == 0 ? BODY_END : BODY_MORE;
}

static enum body_event read_chunked(struct body_reader *r, struct slice *in, struct slice *data,
                                    size_t *count)
{
    struct slice piece;

    while (*count < BODY_PIECES) {
        switch (chunk_decode(&r->chunk, in, &piece)) {
        case CHUNK_MORE:
            return BODY_MORE;
        case CHUNK_DATA:
            data[(*count)++] = piece;
            break;
        case CHUNK_TRAILER:
            if (!buf_append_slice(&r->trailers, piece)) {
                r->why = "no memory for a trailer section";
                return BODY_BAD;
            }
            break;
        case CHUNK_END:
            return BODY_END;
        case CHUNK_BAD:
            r->why = r->chunk.why;
            return BODY_BAD;
        }
    }
    return BODY_MORE;
}

enum body_event body_read(struct body_reader *r, struct slice *in, struct slice data[BODY_PIECES],
                          size_t *count)
{
    *count = 0;
    switch (r->kind) {
    case FRAMING_NONE:
        return BODY_END;
    case FRAMING_LENGTH:
        return read_length(r, in, data, count);
    case FRAMING_CHUNKED:
        return read_chunked(r, in, data, count);
    case FRAMING_CLOSE:
        if (in->len > 0)
            data[(*count)++] = *in;
        *in = slice_skip(*in, in->len);
        return BODY_MORE;
    }
    return BODY_BAD;
}

void body_write(struct conn *c, enum framing_kind kind, const struct slice *data, size_t count)
{
    char line[CHUNK_LINE_MAX];
    size_t size = slice_total(data, count);

    if (size == 0 || kind == FRAMING_NONE)
        return;
    if (kind == FRAMING_CHUNKED)
        conn_put_copy(c, slice_of(line, chunk_write_line(line, size)));
    for (size_t i = 0; i < count; i++)
        conn_put(c, data[i]);
    if (kind == FRAMING_CHUNKED)
        conn_put(c, SLICE("\r\n"));
}

void body_write_end(struct conn *c, enum framing_kind kind, struct slice trailers)
{
    struct buf *out = &c->net->head;

    if (kind != FRAMING_CHUNKED)
        return;
    buf_clear(out);
    if (trailers.len == 0 || !rewrite_trailers(out, trailers))
        buf_clear(out);
    conn_put(c, CHUNK_LAST);
    conn_put_copy(c, buf_slice(out));
    conn_put(c, SLICE("\r\n"));
}
