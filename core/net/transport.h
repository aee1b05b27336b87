/*
 * transport: how bytes get in and out of a connection. Plain sockets now; TLS stands beside it.
 */
#ifndef INTERIM_NET_TRANSPORT_H
#define INTERIM_NET_TRANSPORT_H

#include <stddef.h>
#include <sys/uio.h>

enum io {
    IO_OK,    /* at least one byte */
    IO_AGAIN, /* nothing now */
    IO_EOF,   /* the peer ended its sending side */
    IO_ERR    /* the connection is broken; errno says how */
};

struct conn;

struct transport {
    /* Up to `n` bytes into `bytes`; *got is how many. */
    enum io (*read)(struct conn *c, void *bytes, size_t n, size_t *got);
    /* *sent is how many went out. Never IO_EOF. */
    enum io (*write)(struct conn *c, const struct iovec *iov, int count, size_t *sent);
};

extern const struct transport transport_plain;

#endif
