/*
 * chunk: the chunked transfer coding (RFC 9112 section 7.1), decoded strictly and encoded.
 *
 * The decoder takes bytes as they come, in any split, and hands data out as slices of its input:
 * nothing is copied. Extensions are checked and dropped. What a body spends on framing is bounded:
 * 16 KiB plus as much as it has data, so that neither extensions nor one-byte chunks cost more
 * than they carry. A tighter share would end honest streams: an event stream of 30-byte chunks
 * spends a fifth on framing for as long as it lives.
 */
#ifndef INTERIM_HTTP_CHUNK_H
#define INTERIM_HTTP_CHUNK_H

#include "base/slice.h"

struct chunk {
    unsigned char step;   /* chunk.c's own */
    unsigned char digits; /* of the size being read */
    unsigned extension;   /* bytes of the extension being read */
    unsigned trailer;     /* bytes of the trailer section so far */
    uint64_t left;        /* data bytes left in this chunk, or the size being read */
    uint64_t size;        /* of the latest chunk */
    uint64_t data;        /* data bytes so far */
    uint64_t overhead;    /* all other bytes so far */
    const char *why;      /* after CHUNK_BAD: what was wrong; a literal */
};

enum chunk_event {
    CHUNK_MORE,    /* all input used */
    CHUNK_DATA,    /* *out is body data: a slice of the input */
    CHUNK_TRAILER, /* *out is raw bytes of the trailer section, CRLFs included: gather them */
    CHUNK_END,     /* the body is over; what is left of the input belongs to the next message */
    CHUNK_BAD,     /* see `why`; every later call says the same */
};

void chunk_init(struct chunk *c);

/*
 * Takes bytes off the front of `*in`. Call until CHUNK_MORE, CHUNK_END or CHUNK_BAD.
 * The bytes of CHUNK_TRAILER, put together, are whole field lines each ended by CRLF, already
 * checked byte by byte; the empty line that ends the section is not part of them. They are at most
 * CHUNK_TRAILER_MAX in all.
 */
enum chunk_event chunk_decode(struct chunk *c, struct slice *in, struct slice *out);

#define CHUNK_TRAILER_MAX 8192

/* How many bytes that come next are data of this chunk; 0: framing comes, or nothing. */
uint64_t chunk_ahead(const struct chunk *c);

/* So many of them, at least one, were taken elsewhere. */
void chunk_skip(struct chunk *c, uint64_t n);

/* How many bytes stand between the data of two chunks of this size, without extensions. */
size_t chunk_gap(uint64_t size);

/* Writes the line before `size` (> 0) bytes of data: "1f4\r\n". Returns its length. Data is then
 * followed by "\r\n", the body ended by CHUNK_LAST, trailer fields and an empty line. */
#define CHUNK_LINE_MAX 18
size_t chunk_write_line(char out[CHUNK_LINE_MAX], uint64_t size);
#define CHUNK_LAST SLICE("0\r\n")

#endif
