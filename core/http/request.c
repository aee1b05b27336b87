/*
 * request: puts together what the readers below found out about one request head. Owns nothing;
 * promises that every question about the head is answered once, here, and that a request which
 * breaks a rule gets no further.
 *
 * Next on a request's way: proxy/exchange asks the policy and forwards it.
 */
#include "http/request.h"

#include "http/target.h"

#include <assert.h>

/* What frames, routes, authenticates or tells of the path: no client can have it dropped by naming
 * it in Connection. */
static bool is_protected(struct slice name)
{
    switch (field_id_of(name)) {
    case FIELD_AUTHORIZATION:
    case FIELD_CONTENT_LENGTH:
    case FIELD_COOKIE:
    case FIELD_DATE:
    case FIELD_EXPECT:
    case FIELD_FORWARDED:
    case FIELD_HOST:
    case FIELD_MAX_FORWARDS:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_SET_COOKIE:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_VIA:
    case FIELD_X_REQUEST_ID:
        return true;
    default:
        break;
    }
    const struct slice prefix = SLICE_INIT("X-Forwarded-");
    return name.len >= prefix.len && slice_equals_nocase(slice_of(name.at, prefix.len), prefix);
}

static struct fault check_nominations(const struct head *head)
{
    if (!head_may_have(head, FIELD_CONNECTION))
        return fault_none();
    for (size_t i = 0; i < head->count; i++) {
        if (head->fields[i].id != FIELD_CONNECTION)
            continue;
        struct slice list = head->fields[i].value;
        struct slice member;
        while (slice_next_member(&list, &member)) {
            if (is_protected(member))
                return fault_of(400, "a Connection that names a protected field");
        }
    }
    return fault_none();
}

/*
 * RFC 9112 section 3.2: one valid Host in HTTP/1.1, at most one in HTTP/1.0. An empty value, which
 * the RFC has for targets without an authority, is refused in HTTP/1.1 as well: behind a gateway
 * there are none, and an origin might fill the gap with a guess.
 */
static struct fault read_host(const struct head *head, struct slice *host)
{
    size_t count = head_count(head, FIELD_HOST);
    if (count > 1)
        return fault_of(400, "more than one Host");
    if (count == 0)
        return head->minor == 0 ? fault_none() : fault_of(400, "no Host in HTTP/1.1");
    struct slice value = head_find(head, FIELD_HOST)->value;
    if (value.len == 0 && head->minor == 0)
        return fault_none();
    if (!target_is_authority(value))
        return fault_of(400, "an empty or malformed Host");
    *host = value;
    return fault_none();
}

static struct fault read_target(struct request *out)
{
    struct target target;
    struct fault f = target_read(&target, out->head.method, out->head.target);
    assert(!fault_is(f)); /* lint has refused any other */
    f = read_host(&out->head, &out->host);
    out->path = target.path;
    out->query = target.query;
    if (target.authority.len > 0)
        out->host = target.authority;
    return f;
}

/* RFC 9112 section 9.3. */
static bool read_keep_alive(const struct head *head)
{
    if (head_has_token(head, FIELD_CONNECTION, SLICE("close")))
        return false;
    return head->minor > 0 || head_has_token(head, FIELD_CONNECTION, SLICE("keep-alive"));
}

/* RFC 9110 section 7.6.2. A value that is no number is ignored, as for any other method. */
static bool ends_here(const struct head *head)
{
    if (!slice_equals(head->method, SLICE("TRACE")) &&
        !slice_equals(head->method, SLICE("OPTIONS")))
        return false;
    const struct field *hops = head_find(head, FIELD_MAX_FORWARDS);
    uint64_t left;
    return hops && slice_to_number(hops->value, &left) && left == 0;
}

struct fault request_read(struct request *out, struct arena *arena, struct slice bytes,
                          const struct lint_limits *limits, bool *disagreed)
{
    *out = (struct request){0};
    struct fault f = head_read_request(&out->head, arena, bytes, limits, disagreed);
    if (fault_is(f))
        return f;
    out->is_head = slice_equals(out->head.method, SLICE("HEAD"));
    f = read_target(out);
    if (fault_is(f))
        return f;
    f = framing_of_request(&out->head, &out->framing);
    if (fault_is(f))
        return f;
    f = check_nominations(&out->head);
    if (fault_is(f))
        return f;
    f = expect_of(&out->head, out->framing, &out->expect);
    if (fault_is(f))
        return f;
    upgrade_read_offers(&out->head, out->framing, &out->offers);
    out->keep_alive = read_keep_alive(&out->head);
    out->wants_answer_here = ends_here(&out->head);
    return f;
}

static bool fits(struct slice path, struct slice query, size_t max)
{
    size_t behind = query.at ? 1 + query.len : 0;
    return path.len <= max && behind <= max - path.len;
}

bool request_is_idempotent(const struct request *r)
{
    static const struct slice methods[] = {SLICE_INIT("GET"),     SLICE_INIT("HEAD"),
                                           SLICE_INIT("PUT"),     SLICE_INIT("DELETE"),
                                           SLICE_INIT("OPTIONS"), SLICE_INIT("TRACE")};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_equals(r->head.method, methods[i]))
            return true;
    return false;
}

bool request_set_path(struct request *r, struct slice path, size_t max)
{
    if (!slice_starts(path, SLICE("/")) || !lint_is_target(path) ||
        slice_find(path, '?') < path.len || !fits(path, r->query, max))
        return false;
    struct slice copy = arena_copy(r->head.arena, path);
    if (!copy.at)
        return false;
    r->path = copy;
    return true;
}

bool request_set_query(struct request *r, struct slice query, size_t max)
{
    if (!fits(r->path, query, max))
        return false;
    if (query.len == 0) {
        r->query = query.at ? SLICE("") : slice_of(NULL, 0);
        return true;
    }
    if (!lint_is_target(query))
        return false;
    struct slice copy = arena_copy(r->head.arena, query);
    if (!copy.at)
        return false;
    r->query = copy;
    return true;
}
