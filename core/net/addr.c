/*
 * addr: owns nothing; turns text into socket addresses and back.
 *
 * Promises that what it prints it can read again, and that a refusal says what would have been
 * right. A name is resolved here and nowhere else, while a policy is loaded and never in a worker.
 *
 * Next on a request's way: net/listener and net/upstream use what was read.
 */
#include "net/addr.h"

#include "base/digits.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX   256 /* a DNS name of 253 bytes, or an IPv6 address with its zone */
#define QUOTED_MAX 100 /* how much of a wrong text an error repeats */

#define EXPECTED     "expected host:port, [v6]:port or unix:/path"
#define EXPECTED_ANY "expected host:port, [v6]:port, unix:/path or a port"
#define EXPECTED_NET "expected an address, address/bits or unix:"

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Always false, so that a refusal is one line. */
__attribute__((format(printf, 4, 5))) static bool refuse(char *why, size_t why_size,
                                                         struct slice text, const char *format, ...)
{
    int quoted = (int)(text.len < QUOTED_MAX ? text.len : QUOTED_MAX);
    int len = snprintf(why, why_size, "\"%.*s\": ", quoted, text.at != NULL ? text.at : "");
    if (len >= 0 && (size_t)len < why_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(why + len, why_size - (size_t)len, format, args);
        va_end(args);
    }
    return false;
}

/* "%.*s" stops at a NUL, and so does the resolver: text with one is never an address. */
static bool to_string(struct slice s, char *out, size_t size)
{
    if (s.len == 0 || s.len >= size || memchr(s.at, '\0', s.len) != NULL)
        return false;
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
    return true;
}

static bool read_port(struct slice s, bool zero, in_port_t *port)
{
    uint64_t n;
    if (s.len > 5 || !slice_to_number(s, &n) || n > 65535 || (n == 0 && !zero))
        return false;
    *port = htons((uint16_t)n);
    return true;
}

static bool is_mapped(const struct addr *a)
{
    return a->to.any.sa_family == AF_INET6 &&
           memcmp(&a->to.ip6.sin6_addr, mapped_prefix, sizeof mapped_prefix) == 0;
}

static struct in_addr mapped_ip4(const struct addr *a)
{
    struct in_addr ip4;
    memcpy(&ip4, (const char *)&a->to.ip6.sin6_addr + sizeof mapped_prefix, sizeof ip4);
    return ip4;
}

static void set_ip4(struct addr *a, struct in_addr ip4)
{
    *a = (struct addr){.len = sizeof a->to.ip4};
    a->to.ip4.sin_family = AF_INET;
    a->to.ip4.sin_addr = ip4;
}

static void set_ip6(struct addr *a, const struct in6_addr *ip6)
{
    *a = (struct addr){.len = sizeof a->to.ip6};
    a->to.ip6.sin6_family = AF_INET6;
    a->to.ip6.sin6_addr = *ip6;
}

static void set_port(struct addr *a, in_port_t port)
{
    if (a->to.any.sa_family == AF_INET)
        a->to.ip4.sin_port = port;
    else
        a->to.ip6.sin6_port = port;
}

static bool parse_unix(struct slice text, struct addr *out, char *why, size_t why_size)
{
    struct slice path = slice_skip(text, strlen("unix:"));
    *out = (struct addr){0};
    if (path.len == 0 || path.at[0] != '/')
        return refuse(why, why_size, text, "expected unix: and a path from the root");
    if (!to_string(path, out->to.local.sun_path, sizeof out->to.local.sun_path))
        return refuse(why, why_size, text, "a socket's path has at most %zu bytes and no NUL",
                      sizeof out->to.local.sun_path - 1);
    out->to.local.sun_family = AF_UNIX;
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

/* Adds what the resolver found, each address once; some resolvers repeat themselves. */
static size_t add_found(const struct addrinfo *found, in_port_t port, struct addr *out, size_t max)
{
    size_t count = 0;
    for (; found != NULL && count < max; found = found->ai_next) {
        struct addr *a = &out[count];
        size_t same = 0;
        if (found->ai_addrlen > sizeof a->to ||
            (found->ai_family != AF_INET && found->ai_family != AF_INET6))
            continue;
        *a = (struct addr){.len = found->ai_addrlen};
        memcpy(&a->to, found->ai_addr, found->ai_addrlen);
        set_port(a, port);
        while (same < count && !addr_equals(&out[same], a))
            same++;
        if (same == count)
            count++;
    }
    return count;
}

/* A dotted name of digits alone is a mistyped address, not a name: "127.0.0.300", "10.1". */
static bool looks_numeric(const char *host)
{
    return host[strspn(host, "0123456789.")] == '\0';
}

static size_t resolve(struct slice text, const char *host, bool numeric, in_port_t port,
                      struct addr *out, size_t max, char *why, size_t why_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    if (numeric) {
        hints.ai_flags = AI_NUMERICHOST;
        hints.ai_family = AF_INET6;
    }
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0) {
        if (numeric)
            return refuse(why, why_size, text, "what stands in [] is not an IPv6 address");
        return refuse(why, why_size, text, "cannot resolve %s: %s", host, gai_strerror(error));
    }
    size_t count = add_found(found, port, out, max);
    freeaddrinfo(found);
    if (count == 0)
        refuse(why, why_size, text, "%s has neither an IPv4 nor an IPv6 address", host);
    return count;
}

size_t addr_parse(struct slice text, bool any_host, struct addr *out, size_t max, char *why,
                  size_t why_size)
{
    const char *expected = any_host ? EXPECTED_ANY : EXPECTED;
    char host[HOST_MAX];
    in_port_t port;
    struct in_addr ip4;
    if (slice_starts(text, SLICE("unix:")))
        return parse_unix(text, out, why, why_size);
    size_t slash = slice_find(text, '/');
    if (slice_starts(slice_skip(text, slash), SLICE("//")))
        return refuse(why, why_size, text, "an address is no URL: leave out \"%.*s//\"; %s",
                      (int)(slash < QUOTED_MAX ? slash : QUOTED_MAX), text.at, expected);

    size_t colon = text.len;
    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0) {
        if (!any_host)
            return refuse(why, why_size, text, "no port; %s", expected);
        if (!read_port(text, true, &port))
            return refuse(why, why_size, text, "%s", expected);
        set_ip6(out, &in6addr_any);
        set_port(out, port);
        return 1;
    }
    struct slice name = slice_of(text.at, colon - 1);
    bool bracketed = slice_starts(name, SLICE("[")) && slice_ends(name, SLICE("]"));
    if (bracketed)
        name = slice_of(name.at + 1, name.len - 2);
    else if (slice_find(name, ':') < name.len || slice_find(name, '[') < name.len)
        return refuse(why, why_size, text,
                      "an IPv6 address stands in brackets, with a port "
                      "behind them: [::1]:8080");
    if (!to_string(name, host, sizeof host))
        return refuse(why, why_size, text, "no host that can be used; %s", expected);
    if (!read_port(slice_skip(text, colon), any_host, &port))
        return refuse(why, why_size, text, "a port is a number from %d to 65535; %s", !any_host,
                      expected);
    if (!bracketed && inet_pton(AF_INET, host, &ip4) == 1) {
        set_ip4(out, ip4);
        set_port(out, port);
        return 1;
    }
    if (strcmp(host, "*") == 0 && any_host)
        return refuse(why, why_size, text, "a port alone means all addresses: write \"%.*s\"",
                      SLICE_ARG(slice_skip(text, colon)));
    if (!bracketed && looks_numeric(host))
        return refuse(why, why_size, text, "%s is not an IPv4 address", host);
    return resolve(text, host, bracketed, port, out, max, why, why_size);
}

/* As inet_ntop does, in a tenth of the time: each request's head tells its client's address. */
static void ip4_text(struct in_addr ip4, char *text)
{
    unsigned char bytes[4];

    memcpy(bytes, &ip4, sizeof bytes);
    for (int i = 0; i < 4; i++) {
        unsigned n = bytes[i];
        if (n >= 100)
            *text++ = (char)('0' + n / 100);
        if (n >= 10)
            *text++ = (char)('0' + n / 10 % 10);
        *text++ = (char)('0' + n % 10);
        *text++ = i < 3 ? '.' : '\0';
    }
}

const char *addr_host(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    text[0] = '\0';
    if (a->to.any.sa_family == AF_INET) {
        ip4_text(a->to.ip4.sin_addr, text);
    } else if (is_mapped(a)) {
        ip4_text(mapped_ip4(a), text);
    } else if (a->to.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->to.ip6.sin6_addr, text, ADDR_TEXT_MAX);
        size_t len = strlen(text);
        if (a->to.ip6.sin6_scope_id != 0)
            snprintf(text + len, ADDR_TEXT_MAX - len, "%%%u", a->to.ip6.sin6_scope_id);
    }
    return text;
}

/* A peer that never bound has no path, an abstract one starts with NUL: both are "unix:". */
static const char *unix_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t room = a->len > head ? a->len - head : 0;
    snprintf(text, ADDR_TEXT_MAX, "unix:%.*s", (int)room, a->to.local.sun_path);
    return text;
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    char *end;
    if (a->to.any.sa_family == AF_UNIX)
        return unix_text(a, text);
    addr_host(a, text);
    end = text + strlen(text);
    if (memchr(text, ':', (size_t)(end - text)) != NULL) {
        memmove(text + 1, text, (size_t)(end - text));
        text[0] = '[';
        end[1] = ']';
        end += 2;
    }
    *end++ = ':';
    *digits_put(end, addr_port(a)) = '\0';
    return text;
}

unsigned addr_port(const struct addr *a)
{
    if (a->to.any.sa_family == AF_INET)
        return ntohs(a->to.ip4.sin_port);
    return a->to.any.sa_family == AF_INET6 ? ntohs(a->to.ip6.sin6_port) : 0;
}

bool addr_equals(const struct addr *a, const struct addr *b)
{
    if (a->to.any.sa_family != b->to.any.sa_family)
        return false;
    if (a->to.any.sa_family == AF_INET)
        return a->to.ip4.sin_port == b->to.ip4.sin_port &&
               a->to.ip4.sin_addr.s_addr == b->to.ip4.sin_addr.s_addr;
    if (a->to.any.sa_family == AF_INET6)
        return a->to.ip6.sin6_port == b->to.ip6.sin6_port &&
               a->to.ip6.sin6_scope_id == b->to.ip6.sin6_scope_id &&
               memcmp(&a->to.ip6.sin6_addr, &b->to.ip6.sin6_addr, 16) == 0;
    return a->len == b->len && memcmp(&a->to, &b->to, a->len) == 0;
}

/* The bytes a network is compared by; IPv4 is one family, however it is written. */
static size_t host_bytes(const struct addr *a, unsigned char bytes[16])
{
    if (a->to.any.sa_family == AF_INET) {
        memcpy(bytes, &a->to.ip4.sin_addr, 4);
        return 4;
    }
    if (a->to.any.sa_family != AF_INET6)
        return 0;
    const unsigned char *at = (const unsigned char *)&a->to.ip6.sin6_addr;
    size_t skip = is_mapped(a) ? sizeof mapped_prefix : 0;
    memcpy(bytes, at + skip, 16 - skip);
    return 16 - skip;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* True if no bit behind the first `bits` is set: "10.0.0.1/8" is a slip worth reporting. */
static bool is_clean(const struct addr *a, unsigned bits)
{
    unsigned char bytes[16];
    size_t len = host_bytes(a, bytes);
    for (size_t i = bits; i < len * 8; i++)
        if ((bytes[i / 8] & 0x80 >> i % 8) != 0)
            return false;
    return true;
}

bool addr_net_parse(struct slice text, struct addr_net *out, char *why, size_t why_size)
{
    char host[HOST_MAX];
    struct in_addr ip4;
    struct in6_addr ip6;
    *out = (struct addr_net){0};
    if (slice_equals(text, SLICE("unix:"))) {
        out->addr.to.any.sa_family = AF_UNIX;
        out->addr.len = sizeof(sa_family_t);
        return true;
    }
    size_t slash = slice_find(text, '/');
    if (!to_string(slice_of(text.at, slash), host, sizeof host))
        return refuse(why, why_size, text, EXPECTED_NET);
    if (inet_pton(AF_INET, host, &ip4) == 1)
        set_ip4(&out->addr, ip4);
    else if (inet_pton(AF_INET6, host, &ip6) == 1)
        set_ip6(&out->addr, &ip6);
    else
        return refuse(why, why_size, text, EXPECTED_NET);

    unsigned all = out->addr.to.any.sa_family == AF_INET ? 32 : 128;
    uint64_t bits = all;
    if (slash < text.len && (!slice_to_number(slice_skip(text, slash + 1), &bits) || bits > all))
        return refuse(why, why_size, text, "expected a number from 0 to %u behind the slash", all);
    if (is_mapped(&out->addr)) {
        if (bits < 96)
            return refuse(why, why_size, text, "write IPv4 networks as IPv4: 10.0.0.0/8");
        set_ip4(&out->addr, mapped_ip4(&out->addr));
        bits -= 96;
    }
    out->bits = (unsigned)bits;
    if (!is_clean(&out->addr, out->bits))
        return refuse(why, why_size, text,
                      "the address has bits set beyond the first %u; "
                      "leave out the slash to mean this address alone",
                      out->bits);
    return true;
}

bool addr_net_has(const struct addr_net *net, const struct addr *a)
{
    unsigned char want[16];
    unsigned char have[16];
    if (net->addr.to.any.sa_family == AF_UNIX)
        return a->to.any.sa_family == AF_UNIX;
    size_t len = host_bytes(&net->addr, want);
    return len > 0 && host_bytes(a, have) == len && same_bits(want, have, net->bits);
}

struct peer addr_peer(const struct addr *a)
{
    struct peer p = {.to.any.sa_family = a->to.any.sa_family};

    if (a->to.any.sa_family == AF_INET)
        p.to.ip4 = a->to.ip4;
    else if (a->to.any.sa_family == AF_INET6)
        p.to.ip6 = a->to.ip6;
    return p;
}

struct addr addr_of_peer(const struct peer *p)
{
    struct addr a = {.len = sizeof(sa_family_t)};

    a.to.any.sa_family = p->to.any.sa_family;
    if (p->to.any.sa_family == AF_INET) {
        a.len = sizeof a.to.ip4;
        a.to.ip4 = p->to.ip4;
    } else if (p->to.any.sa_family == AF_INET6) {
        a.len = sizeof a.to.ip6;
        a.to.ip6 = p->to.ip6;
    }
    return a;
}
