/*
 * body: reads the body of one message by its framing, and writes one by another. HTTP/1 on both
 * sides; nothing is copied on the way in.
 */
#ifndef INTERIM_PROXY_BODY_H
#define INTERIM_PROXY_BODY_H

#include "http/chunk.h"
#include "http/framing.h"
#include "net/conn.h"

#define BODY_PIECES 16 /* data slices handed out at a time */

struct body_reader {
    enum framing_kind kind;
    uint64_t left;       /* FRAMING_LENGTH: bytes to come */
    struct chunk chunk;  /* FRAMING_CHUNKED */
    struct buf trailers; /* raw field lines */
    const char *why;     /* after BODY_BAD; a literal */
};

enum body_event {
    BODY_MORE, /* the body goes on; call again if input is left */
    BODY_END,  /* it is complete; what is left of the input is not part of it */
    BODY_BAD   /* see `why` */
};

void body_reader_init(struct body_reader *r, struct framing framing);
void body_reader_free(struct body_reader *r);

/* Takes bytes off `*in` and puts what is data, as slices of it, into data[0..*count). With
 * FRAMING_CLOSE it never ends by itself. */
enum body_event body_read(struct body_reader *r, struct slice *in, struct slice data[BODY_PIECES],
                          size_t *count);

/* Where a body goes, and how it is framed there. */
struct body_way {
    struct conn *to; /* NULL: nowhere */
    enum framing_kind kind;
};

/* What body_pass did. */
struct body_passed {
    enum io io;            /* IO_OK, or what a read would have said */
    enum body_event event; /* BODY_MORE without IO_OK */
    bool lost;             /* what came behind the body is not all in `in`: no memory or room */
    size_t bytes;          /* of data */
};

/* How many bytes that come next may be passed on with most of them unread, and are worth it; else
 * 0. No more data is in them. */
size_t body_passable(const struct body_reader *r, const struct conn *from);

/* Passes on up to `most` of them. What had come behind the end of the body is appended to `in`.
 * False: not possible here and now, read them instead. */
bool body_pass(struct body_reader *r, struct conn *from, struct body_way way, size_t most,
               struct buf *in, struct body_passed *passed);

#define BODY_BEHIND_MAX (1u << 20) /* bytes behind the end of a body */

/* Puts data on a connection, framed; the slices stay until it is flushed. */
void body_write(struct conn *c, enum framing_kind kind, const struct slice *data, size_t count);

/* Puts what ends a body: for chunked the last chunk and the trailer fields that may pass. */
void body_write_end(struct conn *c, enum framing_kind kind, struct slice trailers);

#endif
