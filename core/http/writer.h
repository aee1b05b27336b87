/*
 * writer: appends the lines of one head to a buffer, in one pass and within its bounds.
 *
 * The tool of http/rewrite and of nothing else. The first thing that does not fit makes the rest
 * do nothing; writer_finish then takes back what was written, so a head leaves whole or not at all.
 */
#ifndef INTERIM_HTTP_WRITER_H
#define INTERIM_HTTP_WRITER_H

#include "base/buf.h"
#include "http/head.h"

/* More names in Connection than this are an attack on the search through them. */
#define WRITER_NOMINATED_MAX 64

struct writer {
    struct buf *out;
    size_t before;                                /* bytes the buffer held at the start */
    bool ok;                                      /* everything so far fitted */
    struct slice nominated[WRITER_NOMINATED_MAX]; /* what Connection names; borrowed of the head */
    size_t nominated_count;
};

/* For a writer on the stack: the room for nominations, rarely used, is not cleared for each head.
 */
#define WRITER_UNCLEARED __attribute__((uninitialized))

/* `h` is the head that is being rewritten, NULL for none. Over WRITER_NOMINATED_MAX names in its
 * Connection: nothing will be written. */
void writer_begin(struct writer *w, struct buf *out, const struct head *h);
bool writer_finish(struct writer *w); /* true if all of it was written, else none of it */

static inline void writer_put(struct writer *w, struct slice s)
{
    w->ok = w->ok && buf_append_slice(w->out, s);
}

/* For a line of several parts: room for all of them is asked for once, each is put there, and
 * writer_keep keeps them. NULL: so many bytes do not fit. */
static inline char *writer_room(struct writer *w, size_t size)
{
    char *to = w->ok ? buf_room(w->out, size) : NULL;
    w->ok = to != NULL;
    return to;
}

static inline char *writer_part(char *to, struct slice s)
{
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static inline void writer_keep(struct writer *w, size_t size)
{
    buf_commit(w->out, size);
}

void writer_put_end(struct writer *w); /* CRLF */
void writer_put_field(struct writer *w, struct slice name, struct slice value);
void writer_put_number_field(struct writer *w, struct slice name, uint64_t n);

/* A field whose value is a list of which each part may be absent: without any, no line at all. */
struct writer_list {
    struct writer *w;
    struct slice name;
    bool begun;
};

void writer_put_member(struct writer_list *l, struct slice member);
void writer_end_list(struct writer_list *l);

/* The line that says who passed this on: "Via: 1.1 interim", with the version that was received
 * (RFC 9110 section 7.6.3). Nothing for an empty pseudonym. */
void writer_put_via(struct writer *w, unsigned received_minor, struct slice pseudonym);

/*
 * True for a field that must not pass to the next hop (RFC 9110 section 7.6.1): it is of one hop by
 * its nature or Connection names it. What frames, routes or authenticates cannot be named away, nor
 * what was set here.
 */
bool writer_stays_on_hop(const struct writer *w, const struct field *f);

#endif
