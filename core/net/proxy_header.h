/*
 * proxy_header: the PROXY protocol, versions 1 and 2: a few bytes in front of all others on a
 * connection, by which a proxy says whose connection it passes on
 * (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
 *
 * Pure: functions of bytes. Whoever reads a header must trust the peer that sent it.
 */
#ifndef INTERIM_NET_PROXY_HEADER_H
#define INTERIM_NET_PROXY_HEADER_H

#include "net/addr.h"

#define PROXY_HEADER_V1_MAX  107 /* bytes, CRLF included */
#define PROXY_HEADER_V2_BODY 536 /* bytes behind the first 16, extensions included */

enum proxy_version { PROXY_VERSION_NONE, PROXY_VERSION_1, PROXY_VERSION_2 };

enum proxy_header {
    PROXY_HEADER_MORE, /* a header so far, and no whole one */
    PROXY_HEADER_WHOLE,
    PROXY_HEADER_BAD
};

/*
 * Reads the header that `bytes` begin with, of either version. WHOLE: it takes *len bytes, and
 * *client is who it speaks of; unchanged if it speaks of nobody: LOCAL, UNKNOWN, unspecified.
 * Extensions are skipped. BAD: *why is a literal.
 */
enum proxy_header proxy_header_read(struct slice bytes, size_t *len, struct addr *client,
                                    const char **why);

#define PROXY_HEADER_WRITTEN_MAX 107

/*
 * Writes the header for a connection of `client` to `server`, which may be of two families (both
 * are IPv6 then); without extensions. Of a client on a unix socket it speaks of nobody; to a server
 * on one, of address and port 0. Returns its size.
 */
size_t proxy_header_write(char out[PROXY_HEADER_WRITTEN_MAX], enum proxy_version version,
                          const struct addr *client, const struct addr *server);

#endif
