/*
 * target: pure functions over a request target; owns nothing. Promises that the authority it hands
 * out is well-formed, so that no two readers can see two hosts in it.
 *
 * Used by http/lint to refuse and by http/request to take apart.
 */
#include "http/target.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_MOST 65535

static bool is_hex(char c)
{
    char lower = slice_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
}

/* unreserved and sub-delims of RFC 3986 section 2. */
static bool is_name_byte(char c)
{
    char lower = slice_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=", c));
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '%') {
            if (s.len - i < 3 || !is_hex(s.at[i + 1]) || !is_hex(s.at[i + 2]))
                return false;
            i += 2;
        } else if (!is_name_byte(s.at[i])) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_ipv6(struct slice s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    if (s.len >= sizeof text || memchr(s.at, '\0', s.len))
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1;
}

static bool is_port(struct slice s)
{
    uint64_t port;
    return s.len == 0 || (slice_to_number(s, &port) && port <= PORT_MOST);
}

bool target_is_authority(struct slice s)
{
    bool literal = slice_starts(s, SLICE("["));
    size_t host_len = slice_find(s, literal ? ']' : ':');
    if (literal) {
        if (host_len == s.len || !is_ipv6(slice_of(s.at + 1, host_len - 1)))
            return false;
        host_len++;
    } else if (!is_name(slice_of(s.at, host_len))) {
        return false;
    }
    struct slice rest = slice_skip(s, host_len);
    return rest.len == 0 || (rest.at[0] == ':' && is_port(slice_skip(rest, 1)));
}

static bool take_scheme(struct slice *target, struct slice scheme)
{
    if (target->len < scheme.len || !slice_equals_nocase(slice_of(target->at, scheme.len), scheme))
        return false;
    *target = slice_skip(*target, scheme.len);
    return true;
}

/* Path and query, split at the first '?'. */
static void split(struct target *out, struct slice path)
{
    size_t mark = slice_find(path, '?');
    out->path = slice_of(path.at, mark);
    if (mark < path.len)
        out->query = slice_of(path.at + mark + 1, path.len - mark - 1);
}

static struct fault read_absolute(struct target *out, bool is_options, struct slice rest)
{
    size_t len = 0;
    while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
        len++;
    struct slice authority = slice_of(rest.at, len);
    if (!target_is_authority(authority))
        return fault_of(400, "an absolute target whose host is empty or malformed");
    out->authority = authority;
    split(out, slice_of(rest.at + len, rest.len - len));
    if (out->path.len == 0)
        out->path = is_options && !out->query.at ? SLICE("*") : SLICE("/");
    return fault_none();
}

struct fault target_read(struct target *out, struct slice method, struct slice target)
{
    bool is_options = slice_equals(method, SLICE("OPTIONS"));
    *out = (struct target){0};
    if (slice_starts(target, SLICE("/"))) {
        split(out, target);
        return fault_none();
    }
    if (is_options && slice_equals(target, SLICE("*"))) {
        out->path = target;
        return fault_none();
    }
    if (take_scheme(&target, SLICE("http://")) || take_scheme(&target, SLICE("https://")))
        return read_absolute(out, is_options, target);
    return fault_of(400, "a request target of no form this proxy serves");
}
