/*
 * proxy_header: owns nothing; reads and writes the header of the PROXY protocol.
 *
 * Promises that a header is the same in whatever pieces it comes, that none is longer than its
 * bounds, and that nothing which is not exactly one is taken for one. Next on a connection's way:
 * http/lint.
 */
#include "net/proxy_header.h"

#include "base/digits.h"

#include <arpa/inet.h>
#include <string.h>

#define V2_FIXED 16 /* signature, version and command, family and transport, length */
#define V2_IP4   12 /* two addresses and two ports */
#define V2_IP6   36
#define V2_UNIX  216

/* Version and command; family and transport. */
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPECIFIED = 0, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX_STREAM = 0x31 };

static const struct slice v1_begin = SLICE_INIT("PROXY ");
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define V2_SIGNATURE_LEN (sizeof v2_signature - 1)

static enum proxy_header bad(const char **why, const char *text)
{
    *why = text;
    return PROXY_HEADER_BAD;
}

/* Whether the bytes are, as far as they go, those that are wanted. */
static bool begins(struct slice bytes, struct slice wanted)
{
    size_t n = bytes.len < wanted.len ? bytes.len : wanted.len;

    return memcmp(bytes.at, wanted.at, n) == 0;
}

/* ---- reading version 1 ---- */

/* What stands before the next blank; takes both off. */
static struct slice next_word(struct slice *line)
{
    struct slice word = slice_of(line->at, slice_find(*line, ' '));

    *line = slice_skip(*line, word.len < line->len ? word.len + 1 : word.len);
    return word;
}

static bool read_address(struct slice word, int family, void *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof text || memchr(word.at, '\0', word.len) != NULL)
        return false;
    memcpy(text, word.at, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

static bool read_port(struct slice word, in_port_t *port)
{
    uint64_t n;

    if (word.len > 5 || !slice_to_number(word, &n) || n > 65535 ||
        (word.len > 1 && word.at[0] == '0'))
        return false;
    *port = htons((uint16_t)n);
    return true;
}

/* Source and destination, each an address of the family and a port: both must be good, the first
 * counts. */
static bool read_ends(struct slice line, int family, struct addr *client)
{
    struct addr ends[2] = {{.len = sizeof ends->to.ip4}, {.len = sizeof ends->to.ip4}};
    in_port_t ports[2];

    for (int i = 0; i < 2; i++) {
        void *at = family == AF_INET ? (void *)&ends[i].to.ip4.sin_addr
                                     : (void *)&ends[i].to.ip6.sin6_addr;
        ends[i].to.any.sa_family = (sa_family_t)family;
        if (!read_address(next_word(&line), family, at))
            return false;
    }
    if (!read_port(next_word(&line), &ports[0]) || !read_port(line, &ports[1]))
        return false;
    if (family == AF_INET6) {
        ends[0].len = sizeof ends->to.ip6;
        ends[0].to.ip6.sin6_port = ports[0];
    } else {
        ends[0].to.ip4.sin_port = ports[0];
    }
    *client = ends[0];
    return true;
}

static enum proxy_header read_v1(struct slice bytes, size_t *len, struct addr *client,
                                 const char **why)
{
    size_t most = bytes.len < PROXY_HEADER_V1_MAX ? bytes.len : PROXY_HEADER_V1_MAX;
    size_t end = slice_find(slice_of(bytes.at, most), '\n');
    struct slice line;
    struct slice family;

    if (end == most)
        return most < PROXY_HEADER_V1_MAX ? PROXY_HEADER_MORE
                                          : bad(why, "version 1, longer than 107 bytes");
    if (bytes.at[end - 1] != '\r')
        return bad(why, "version 1, without CRLF");
    line = slice_of(bytes.at + v1_begin.len, end - 1 - v1_begin.len);
    if (slice_find(line, '\r') < line.len)
        return bad(why, "version 1, a bare CR");
    *len = end + 1;
    family = next_word(&line);
    if (slice_equals(family, SLICE("UNKNOWN")))
        return PROXY_HEADER_WHOLE;
    if (slice_equals(family, SLICE("TCP4")) && read_ends(line, AF_INET, client))
        return PROXY_HEADER_WHOLE;
    if (slice_equals(family, SLICE("TCP6")) && read_ends(line, AF_INET6, client))
        return PROXY_HEADER_WHOLE;
    return bad(why, "version 1, malformed");
}

/* ---- reading version 2 ---- */

static void take_ip4(const unsigned char *body, struct addr *client)
{
    *client = (struct addr){.len = sizeof client->to.ip4};
    client->to.ip4.sin_family = AF_INET;
    memcpy(&client->to.ip4.sin_addr, body, 4);
    memcpy(&client->to.ip4.sin_port, body + 8, 2);
}

static void take_ip6(const unsigned char *body, struct addr *client)
{
    *client = (struct addr){.len = sizeof client->to.ip6};
    client->to.ip6.sin6_family = AF_INET6;
    memcpy(&client->to.ip6.sin6_addr, body, 16);
    memcpy(&client->to.ip6.sin6_port, body + 32, 2);
}

/* The path is the sender's business: any peer on a unix socket is "unix:". */
static void take_unix(struct addr *client)
{
    *client = (struct addr){.len = sizeof(sa_family_t)};
    client->to.any.sa_family = AF_UNIX;
}

static enum proxy_header read_v2(struct slice bytes, size_t *len, struct addr *client,
                                 const char **why)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    size_t size;

    if (bytes.len > V2_SIGNATURE_LEN && at[12] != V2_LOCAL && at[12] != V2_PROXY)
        return bad(why, "version 2, an unknown version or command");
    if (bytes.len < V2_FIXED)
        return PROXY_HEADER_MORE;
    size = (size_t)at[14] << 8 | at[15];
    if (size > PROXY_HEADER_V2_BODY)
        return bad(why, "version 2, too long");
    if (at[12] == V2_PROXY) {
        if (at[13] != V2_UNSPECIFIED && at[13] != V2_TCP4 && at[13] != V2_TCP6 &&
            at[13] != V2_UNIX_STREAM)
            return bad(why, "version 2, no stream of a known family");
        if ((at[13] == V2_TCP4 && size < V2_IP4) || (at[13] == V2_TCP6 && size < V2_IP6) ||
            (at[13] == V2_UNIX_STREAM && size < V2_UNIX))
            return bad(why, "version 2, too short for its addresses");
    }
    if (bytes.len < V2_FIXED + size)
        return PROXY_HEADER_MORE;
    *len = V2_FIXED + size;
    if (at[12] == V2_PROXY && at[13] == V2_TCP4)
        take_ip4(at + V2_FIXED, client);
    else if (at[12] == V2_PROXY && at[13] == V2_TCP6)
        take_ip6(at + V2_FIXED, client);
    else if (at[12] == V2_PROXY && at[13] == V2_UNIX_STREAM)
        take_unix(client);
    return PROXY_HEADER_WHOLE;
}

enum proxy_header proxy_header_read(struct slice bytes, size_t *len, struct addr *client,
                                    const char **why)
{
    struct slice signature = slice_of(v2_signature, V2_SIGNATURE_LEN);

    if (bytes.len == 0)
        return PROXY_HEADER_MORE;
    if (begins(bytes, v1_begin))
        return bytes.len < v1_begin.len ? PROXY_HEADER_MORE : read_v1(bytes, len, client, why);
    if (begins(bytes, signature))
        return read_v2(bytes, len, client, why);
    return bad(why, "none");
}

/* ---- writing ---- */

static bool is_mapped(const struct addr *a)
{
    return a->to.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->to.ip6.sin6_addr);
}

/* IPv4 mapped into IPv6, which is how a socket for both shows it, is IPv4. */
static bool is_ip4(const struct addr *a)
{
    return a->to.any.sa_family == AF_INET || is_mapped(a);
}

/* The four or sixteen bytes of a host; returns their end. */
static unsigned char *put_host(unsigned char *to, const struct addr *a, bool ip4)
{
    unsigned char host[16] = {[10] = 0xff, [11] = 0xff};

    if (a->to.any.sa_family == AF_INET)
        memcpy(host + 12, &a->to.ip4.sin_addr, 4);
    else
        memcpy(host, &a->to.ip6.sin6_addr, 16);
    memcpy(to, ip4 ? host + 12 : host, ip4 ? 4 : 16);
    return to + (ip4 ? 4 : 16);
}

static unsigned char *put_port(unsigned char *to, const struct addr *a)
{
    *to++ = (unsigned char)(addr_port(a) >> 8);
    *to++ = (unsigned char)addr_port(a);
    return to;
}

static size_t write_v2(char *out, const struct addr *client, const struct addr *server, bool known,
                       bool ip4)
{
    unsigned char *at = (unsigned char *)out;
    size_t size = !known ? 0 : ip4 ? V2_IP4 : V2_IP6;

    memcpy(at, v2_signature, V2_SIGNATURE_LEN);
    at += V2_SIGNATURE_LEN;
    *at++ = V2_PROXY;
    *at++ = !known ? V2_UNSPECIFIED : ip4 ? V2_TCP4 : V2_TCP6;
    *at++ = 0;
    *at++ = (unsigned char)size;
    if (known) {
        at = put_host(at, client, ip4);
        at = put_host(at, server, ip4);
        at = put_port(at, client);
        put_port(at, server);
    }
    return V2_FIXED + size;
}

static char *put_host_text(char *to, const struct addr *a, bool ip4)
{
    unsigned char host[16];

    put_host(host, a, ip4);
    inet_ntop(ip4 ? AF_INET : AF_INET6, host, to, INET6_ADDRSTRLEN);
    to += strlen(to);
    *to++ = ' ';
    return to;
}

static size_t write_v1(char *out, const struct addr *client, const struct addr *server, bool known,
                       bool ip4)
{
    char text[PROXY_HEADER_V1_MAX + 1];
    char *to = text;

    if (known) {
        to = stpcpy(to, ip4 ? "PROXY TCP4 " : "PROXY TCP6 ");
        to = put_host_text(to, client, ip4);
        to = put_host_text(to, server, ip4);
        to = digits_put(to, addr_port(client));
        *to++ = ' ';
        to = digits_put(to, addr_port(server));
    } else {
        to = stpcpy(to, "PROXY UNKNOWN");
    }
    to = stpcpy(to, "\r\n");
    memcpy(out, text, (size_t)(to - text));
    return (size_t)(to - text);
}

size_t proxy_header_write(char out[PROXY_HEADER_WRITTEN_MAX], enum proxy_version version,
                          const struct addr *client, const struct addr *server)
{
    bool known = client->to.any.sa_family != AF_UNIX;
    struct addr nowhere = {.to.any.sa_family = client->to.any.sa_family};
    bool ip4;

    /* A path is no address, and the header names two of a family. */
    if (server->to.any.sa_family == AF_UNIX)
        server = &nowhere;
    ip4 = known && is_ip4(client) && is_ip4(server);

    if (version == PROXY_VERSION_2)
        return write_v2(out, client, server, known, ip4);
    return write_v1(out, client, server, known, ip4);
}
