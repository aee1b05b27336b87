/*
 * fuzz proxy_header: any bytes as the begin of a connection with the PROXY protocol.
 *
 * Must hold:
 *
 * - as the bytes come one by one, the verdict is "more" up to some byte and the same from there on;
 * - no byte is read that is not there yet: each prefix is a block of its own on the heap;
 * - who was read, written in either version and read again, is the same.
 */
#include "net/proxy_header.h"

#include <assert.h>
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
