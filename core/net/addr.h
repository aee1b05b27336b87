/*
 * addr: where a socket is or goes: IPv4, IPv6 or a unix path, in its text and its binary form.
 *
 * Plain data without pointers: it is copied, compared by addr_equals and put in shared memory.
 */
#ifndef INTERIM_NET_ADDR_H
#define INTERIM_NET_ADDR_H

#include "base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_un local;
    } to;
};

/* An address without the path that a unix socket may have: of a client, which has none. */
struct peer {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } to;
};

struct peer addr_peer(const struct addr *a);
struct addr addr_of_peer(const struct peer *p);

/* Room for any address as text, its NUL included: "unix:" and a path, or "[v6]:port". */
#define ADDR_TEXT_MAX 128

/*
 * Reads "127.0.0.1:80", "[::1]:80", "unix:/path", "name:80" or, when `any_host` is true, "80" for
 * all addresses; with `any_host`, port 0 lets the kernel choose. A name is resolved now (this
 * blocks: only while loading) and may give several.
 * Returns how many were written to out[0..max), or 0 with a message in `why`: what is wrong and
 * what would be right.
 */
size_t addr_parse(struct slice text, bool any_host, struct addr *out, size_t max, char *why,
                  size_t why_size);

/* "127.0.0.1:80", "[::1]:80", "unix:/path"; returns `text`. A peer on a unix socket is "unix:", an
 * IPv4 address mapped into IPv6 is written as IPv4. */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);

/* The host part alone: "127.0.0.1", "::1" (an IPv4 address mapped into IPv6 as IPv4), "" for unix.
 */
const char *addr_host(const struct addr *a, char text[ADDR_TEXT_MAX]);

unsigned addr_port(const struct addr *a); /* 0 for unix */
bool addr_equals(const struct addr *a, const struct addr *b);

/* A network: an address and how many of its leading bits count. */
struct addr_net {
    struct addr addr;
    unsigned bits;
};

/* Reads "10.0.0.0/8", "::1", "fd00::/8", "unix:" (every unix peer). False with a message. */
bool addr_net_parse(struct slice text, struct addr_net *out, char *why, size_t why_size);

/* True if the host of `a` lies in the network; IPv4 mapped into IPv6 counts as IPv4. */
bool addr_net_has(const struct addr_net *net, const struct addr *a);

#endif
