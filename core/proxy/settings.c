/*
 * settings: owns the defaults and the rules that concern several fields at once.
 *
 * Promises that what settings_check passed can be served: listeners that are all different, and no
 * name that leads nowhere. The meaning of each deadline, with the answer when it passes:
 *
 *     header      first byte of a request head to its end, as a whole      408, close
 *     idle        between the requests of a client connection              close
 *     body        no progress on the client's body                         408, close
 *     connect     until the origin has accepted the connection             522
 *     send        the origin takes no bytes                                522
 *     response    request sent to final response head                      524
 *     processing  the same, from the latest 102 on                         522
 *     exchange    end of the request head to the final response head       524
 *     stall       no progress on the response body                         the client is cut off
 *     half_close  the client ended its sending side, to the end            both sides closed
 *     tunnel      no byte either way                                       close
 *     hook        a hook that waits                                        500
 *
 * 522 and 524 are 504 under `statuses = "standard"`.
 */
#include "proxy/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct timeouts default_timeouts = {
    .header = 30,
    .idle = 75,
    .body = 30,
    .connect = 15,
    .send = 60,
    .response = 100,
    .processing = 100,
    .exchange = 3600,
    .stall = 60,
    .half_close = 1,
    .tunnel = 3600,
    .hook = 10,
    .continue_ = 0,
    .linger = 2,
    .upstream_idle = 50,
    .processing_restarts = true,
};

static const struct limits default_limits = {
    .request_line = 8 << 10,
    .head = 32 << 10,
    .fields = 128,
    .interim = 256,
    .interim_bytes = 256 << 10,
    .linger_bytes = 1 << 20,
    .upstream_idle = 64,
    .policy_memory = 64 << 20,
    .hook_cpu = 0.05,
    .generations = 8,
    .connections = 10000,
    .connections_per_address = 1000,
    .requests = 10000,
    .buffered = 64 << 20,
};

void settings_default(struct settings *s)
{
    memset(s, 0, sizeof *s);
    s->upstream = -1;
    s->timeouts = default_timeouts;
    s->limits = default_limits;
    s->statuses = STATUSES_DEFAULT;
    s->access_log = LOG_FORM_TEXT;
    snprintf(s->via, sizeof s->via, "interim");
    s->via_responses = true;
    s->drain = 30;
}

size_t settings_share(const struct settings *s, size_t limit)
{
    size_t workers = s->workers > 0 ? s->workers : 1;
    return (limit + workers - 1) / workers;
}

int settings_find_upstream(const struct settings *s, struct slice name)
{
    for (size_t i = 0; i < s->upstream_count; i++)
        if (slice_equals(slice_of_string(s->upstreams[i].name), name))
            return (int)i;
    return -1;
}

int settings_add_upstream(struct settings *s, struct slice name, char *why, size_t why_size)
{
    if (s->upstream_count == SETTINGS_UPSTREAMS) {
        snprintf(why, why_size, "more than %d upstreams", SETTINGS_UPSTREAMS);
        return -1;
    }
    if (name.len == 0 || name.len >= ADDR_TEXT_MAX || memchr(name.at, '\0', name.len) != NULL) {
        snprintf(why, why_size, "the name of an upstream has 1 to %d bytes and no NUL",
                 ADDR_TEXT_MAX - 1);
        return -1;
    }
    if (settings_find_upstream(s, name) >= 0) {
        snprintf(why, why_size, "there is an upstream \"%.*s\" already", SLICE_ARG(name));
        return -1;
    }
    struct settings_upstream *u = &s->upstreams[s->upstream_count];
    memcpy(u->name, name.at, name.len);
    u->name[name.len] = '\0';
    u->first = s->address_count;
    u->count = 0;
    u->balance = BALANCE_ROUND_ROBIN;
    u->timeouts = s->timeouts;
    u->proxy_protocol = PROXY_VERSION_NONE;
    return (int)s->upstream_count++;
}

bool settings_add_address(struct settings *s, struct slice text, char *why, size_t why_size)
{
    assert(s->upstream_count > 0);
    size_t room = SETTINGS_ADDRESSES - s->address_count;
    if (room == 0) {
        snprintf(why, why_size, "more than %d addresses in all upstreams together",
                 SETTINGS_ADDRESSES);
        return false;
    }
    size_t added = addr_parse(text, false, &s->addresses[s->address_count], room, why, why_size);
    s->address_count += added;
    s->upstreams[s->upstream_count - 1].count += added;
    return added > 0;
}

static bool listens_on(const struct settings *s, const struct addr *a)
{
    /* Port 0 asks the kernel for a free one, so two of them never meet. */
    bool chosen = a->to.any.sa_family == AF_UNIX || addr_port(a) != 0;
    for (size_t i = 0; chosen && i < s->listener_count; i++)
        if (addr_equals(&s->listeners[i], a))
            return true;
    return false;
}

bool settings_add_listener(struct settings *s, struct slice text, char *why, size_t why_size)
{
    struct addr found[SETTINGS_LISTENERS];
    size_t count = addr_parse(text, true, found, SETTINGS_LISTENERS, why, why_size);
    if (count == 0)
        return false;
    if (count > SETTINGS_LISTENERS - s->listener_count) {
        snprintf(why, why_size, "more than %d addresses to listen on", SETTINGS_LISTENERS);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (listens_on(s, &found[i])) {
            char address[ADDR_TEXT_MAX];
            snprintf(why, why_size, "%s is listed twice", addr_text(&found[i], address));
            return false;
        }
    }
    memcpy(&s->listeners[s->listener_count], found, count * sizeof found[0]);
    s->listener_count += count;
    return true;
}

static bool is_of_this_machine(const struct addr *a)
{
    const struct in6_addr *ip6 = &a->to.ip6.sin6_addr;

    if (a->to.any.sa_family == AF_INET)
        return ntohl(a->to.ip4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (a->to.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(ip6) || (IN6_IS_ADDR_V4MAPPED(ip6) && ip6->s6_addr[12] == 127);
    return true;
}

static bool check_admin(const struct settings *s, char *why, size_t why_size)
{
    char address[ADDR_TEXT_MAX];

    if (s->admin.len == 0)
        return true;
    addr_text(&s->admin, address);
    if (listens_on(s, &s->admin)) {
        snprintf(why, why_size, "admin: %s is in `listen` too; give it an address of its own",
                 address);
        return false;
    }
    if (s->admin_public || is_of_this_machine(&s->admin))
        return true;
    snprintf(why, why_size,
             "admin: %s can be reached from other machines, and tells everybody everything; write "
             "admin = \"127.0.0.1:%u\", or admin = { listen = \"%s\", public = true } if that is "
             "meant",
             address, addr_port(&s->admin), address);
    return false;
}

bool settings_check(const struct settings *s, char *why, size_t why_size)
{
    assert(s->upstream >= -1 && s->upstream < (int)s->upstream_count);
    if (s->listener_count == 0) {
        snprintf(why, why_size,
                 "listen: nothing to listen on; write for example "
                 "listen = \"127.0.0.1:8080\"");
        return false;
    }
    for (size_t i = 0; i < s->upstream_count; i++) {
        if (s->upstreams[i].count == 0) {
            snprintf(why, why_size,
                     "upstreams.%s: no address; write for example %s = "
                     "\"127.0.0.1:9000\"",
                     s->upstreams[i].name, s->upstreams[i].name);
            return false;
        }
    }
    if (s->proxy_protocol && s->trusted_count == 0) {
        snprintf(why, why_size,
                 "proxy_protocol: nobody may speak it; name the proxies in front of this one in "
                 "trusted_proxies");
        return false;
    }
    return check_admin(s, why, why_size);
}

bool settings_trusts(const struct settings *s, const struct addr *peer)
{
    for (size_t i = 0; i < s->trusted_count; i++)
        if (addr_net_has(&s->trusted[i], peer))
            return true;
    return false;
}

unsigned settings_allow_bit(struct slice name)
{
#define ALLOWABLE_NAME(name, text) SLICE_INIT(text),
    static const struct slice names[SETTINGS_ALLOWABLE_COUNT] = {
        SETTINGS_ALLOWABLE(ALLOWABLE_NAME)};
#undef ALLOWABLE_NAME

    for (unsigned i = 0; i < SETTINGS_ALLOWABLE_COUNT; i++)
        if (slice_equals(name, names[i]))
            return 1u << i;
    return 0;
}

bool settings_read_allow(struct slice names, unsigned *allow, char *why, size_t why_size)
{
    struct slice name;

    while (slice_next_member(&names, &name)) {
        unsigned bit = settings_allow_bit(name);
        if (bit == 0) {
            snprintf(why, why_size, "--allow takes io, os, ffi, jit, debug, load, not \"%.*s\"",
                     (int)(name.len < 100 ? name.len : 100), name.at);
            return false;
        }
        *allow |= bit;
    }
    return true;
}
