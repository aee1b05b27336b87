/*
 * fuzz proxy_header: any bytes as the begin of a connection with the PROXY protocol.
 *
 * Must hold:
 *
 * - as the bytes come one by one, the verdict is "more" up to some byte and the same from there on;
 * - no byte is read that is not there yet: each prefix is a block of its own on the heap;
 * - a second reader, which takes version 1 apart with sscanf and has version 2 as a table, comes to
 *   the same verdict, length and client;
 * - who was read, written in either version and read again, is the same.
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Beyond the longest header; a longer input is cut. */
#define LONGEST (16 + PROXY_HEADER_V2_BODY + 8)

struct reading {
    enum proxy_header verdict;
    size_t len;
    char client[ADDR_TEXT_MAX]; /* "" when the header speaks of nobody */
    struct addr addr;
};

static void read_prefix(const uint8_t *bytes, size_t n, struct reading *r)
{
    static const struct addr nobody = {.len = 0};
    char *block = malloc(n);
    const char *why = NULL;
    assert(block != NULL || n == 0);
    if (block != NULL)
        memcpy(block, bytes, n);
    *r = (struct reading){.addr = nobody};
    r->verdict = proxy_header_read(slice_of(block, n), &r->len, &r->addr, &why);
    free(block);
    if (r->verdict == PROXY_HEADER_WHOLE)
        assert(r->len > 0 && r->len <= n);
    if (r->verdict == PROXY_HEADER_BAD)
        assert(why != NULL);
    if (r->verdict == PROXY_HEADER_WHOLE && r->addr.len > 0)
        addr_text(&r->addr, r->client);
}

/* ---- the second reader, which has its limits of its own ---- */

#define V1_MOST 107
#define V2_MOST 536

/* `host` and `port` as they are on the wire. */
static void put_ip(struct addr *out, int family, const void *host, const void *port)
{
    *out = (struct addr){.len = family == AF_INET ? sizeof out->to.ip4 : sizeof out->to.ip6};
    out->to.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        memcpy(&out->to.ip4.sin_addr, host, 4);
        memcpy(&out->to.ip4.sin_port, port, 2);
    } else {
        memcpy(&out->to.ip6.sin6_addr, host, 16);
        memcpy(&out->to.ip6.sin6_port, port, 2);
    }
}

/* Decimal, as it is written when nothing is added to it. */
static bool is_port(const char *text)
{
    char plain[24];
    long port = strtol(text, NULL, 10);
    snprintf(plain, sizeof plain, "%ld", port);
    return port <= 65535 && strcmp(plain, text) == 0;
}

/* "TCP4" or "TCP6", two addresses, two ports, a blank between each. */
static bool read_ends_again(const char *line, struct addr *client)
{
    char family[2], ends[2][46], ports[2][6], plain[128];
    unsigned char hosts[2][16];
    if (sscanf(line, "TCP%1[46] %45[0-9A-Fa-f:.] %45[0-9A-Fa-f:.] %5[0-9] %5[0-9]", family, ends[0],
               ends[1], ports[0], ports[1]) != 5)
        return false;
    snprintf(plain, sizeof plain, "TCP%s %s %s %s %s", family, ends[0], ends[1], ports[0],
             ports[1]);
    int af = family[0] == '4' ? AF_INET : AF_INET6;
    if (strcmp(line, plain) != 0 || !is_port(ports[0]) || !is_port(ports[1]) ||
        inet_pton(af, ends[0], hosts[0]) != 1 || inet_pton(af, ends[1], hosts[1]) != 1)
        return false;
    uint16_t port = htons((uint16_t)strtol(ports[0], NULL, 10));
    put_ip(client, af, hosts[0], &port);
    return true;
}

static enum proxy_header read_v1_again(const char *bytes, size_t n, struct reading *r)
{
    char line[V1_MOST + 1] = "";
    const char *lf = memchr(bytes, '\n', n < V1_MOST ? n : V1_MOST);
    if (lf == NULL)
        return n < V1_MOST ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
    size_t len = (size_t)(lf - bytes) - strlen("PROXY ");
    memcpy(line, bytes + strlen("PROXY "), len);
    if (len == 0 || memchr(line, '\r', len) != &line[len - 1])
        return PROXY_HEADER_BAD;
    line[len - 1] = '\0';
    r->len = (size_t)(lf - bytes) + 1;
    if (strcmp(line, "UNKNOWN") == 0 ? len == 8 : strncmp(line, "UNKNOWN ", 8) == 0)
        return PROXY_HEADER_WHOLE;
    return strlen(line) == len - 1 && read_ends_again(line, &r->addr) ? PROXY_HEADER_WHOLE
                                                                      : PROXY_HEADER_BAD;
}

static enum proxy_header read_v2_again(const unsigned char *bytes, size_t n, struct reading *r)
{
    static const struct {
        unsigned kind, least;
        int family;
    } kinds[] = {
        {0x00, 0, AF_UNSPEC}, {0x11, 12, AF_INET}, {0x21, 36, AF_INET6}, {0x31, 216, AF_UNIX}};
    size_t kind = 0;
    if (n > 12 && bytes[12] != 0x20 && bytes[12] != 0x21)
        return PROXY_HEADER_BAD;
    if (n < 16)
        return PROXY_HEADER_MORE;
    size_t size = bytes[14] * 256u + bytes[15];
    while (bytes[12] == 0x21 && kind < 4 && kinds[kind].kind != bytes[13])
        kind++;
    if (kind == 4 || size < kinds[kind].least || size > V2_MOST)
        return PROXY_HEADER_BAD;
    if (n - 16 < size)
        return PROXY_HEADER_MORE;
    r->len = 16 + size;
    if (kinds[kind].family == AF_UNIX)
        r->addr = (struct addr){.len = sizeof(sa_family_t), .to.any.sa_family = AF_UNIX};
    else if (kinds[kind].family != AF_UNSPEC)
        put_ip(&r->addr, kinds[kind].family, bytes + 16,
               bytes + 16 + (kinds[kind].family == AF_INET ? 8 : 32));
    return PROXY_HEADER_WHOLE;
}

static void read_again(const uint8_t *bytes, size_t n, struct reading *r)
{
    static const char v1[] = "PROXY ", v2[] = "\r\n\r\n\0\r\nQUIT\n";
    *r = (struct reading){.addr = {.len = 0}};
    if (n == 0 || memcmp(bytes, v1, n < 6 ? n : 6) == 0)
        r->verdict = n < 6 ? PROXY_HEADER_MORE : read_v1_again((const char *)bytes, n, r);
    else if (memcmp(bytes, v2, n < 12 ? n : 12) == 0)
        r->verdict = n < 12 ? PROXY_HEADER_MORE : read_v2_again(bytes, n, r);
    else
        r->verdict = PROXY_HEADER_BAD;
    if (r->verdict == PROXY_HEADER_WHOLE && r->addr.len > 0)
        addr_text(&r->addr, r->client);
}

/* ---- */

static void check_same(const struct reading *a, const struct reading *b)
{
    assert(a->verdict == b->verdict);
    if (a->verdict == PROXY_HEADER_WHOLE)
        assert(a->len == b->len && strcmp(a->client, b->client) == 0);
}

static void check_round_trip(const struct reading *r, enum proxy_version version)
{
    struct addr server = {.len = sizeof server.to.ip4};
    char out[PROXY_HEADER_WRITTEN_MAX];
    struct reading again;
    server.to.ip4.sin_family = AF_INET;
    server.to.ip4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.to.ip4.sin_port = htons(8080);
    size_t n = proxy_header_write(out, version, &r->addr, &server);
    assert(n <= sizeof out);
    read_prefix((const uint8_t *)out, n, &again);
    assert(again.verdict == PROXY_HEADER_WHOLE && again.len == n);
    bool known = r->addr.to.any.sa_family != AF_UNIX;
    assert(strcmp(again.client, known ? r->client : "") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct reading whole, r;
    if (size > LONGEST)
        size = LONGEST;
    read_prefix(bytes, size, &whole);
    read_again(bytes, size, &r);
    check_same(&whole, &r);
    bool over = false;
    for (size_t n = 0; n < size; n++) {
        read_prefix(bytes, n, &r);
        assert(!over || r.verdict != PROXY_HEADER_MORE);
        over = r.verdict != PROXY_HEADER_MORE;
        if (over)
            check_same(&r, &whole);
    }
    if (whole.verdict == PROXY_HEADER_WHOLE && whole.addr.len > 0) {
        check_round_trip(&whole, PROXY_VERSION_1);
        check_round_trip(&whole, PROXY_VERSION_2);
    }
    return 0;
}
