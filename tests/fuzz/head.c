/*
 * fuzz head: any bytes as the head of a request, and as that of a response.
 *
 * Must hold:
 *
 * - the end of a head is found alike in whatever pieces it comes, and nothing passes without one;
 * - lint and http-parser never disagree on a head that lint passed;
 * - a second reader (grammar.h) takes the same heads and sees the same parts in them, and what it
 *   refuses is refused here for one of the reasons that it has;
 * - what passes and is written for the next hop is read again there as exactly one head, with the
 *   same start line, the same framing and, in order and byte for byte, the fields that may pass.
 */
#include "grammar.h"
#include "http/request.h"
#include "http/response.h"
#include "http/rewrite.h"

#include <assert.h>

#define WRITTEN_MAX (64 * 1024)

/* Narrow, so that inputs of some hundred bytes meet the limits too; wide for what was written. */
static const struct lint_limits limits = {512, 2048, 24};
static const struct lint_limits wide = {WRITTEN_MAX, WRITTEN_MAX, LINT_FIELDS_MAX};

static const struct grammar_limits limits_again = {512, 2048, 24};

/* ---- the end of a head ---- */

static enum lint_progress find_end(struct slice bytes, bool is_request, size_t step, size_t *end,
                                   struct fault *fault)
{
    enum lint_progress progress = LINT_MORE;
    size_t scanned = 0;
    for (size_t seen = 0; progress == LINT_MORE && seen < bytes.len;) {
        seen = bytes.len - seen > step ? seen + step : bytes.len;
        progress =
            lint_find_end(slice_of(bytes.at, seen), &scanned, is_request, &limits, end, fault);
    }
    return progress;
}

/* Returns the head; all bytes if there is no whole one. */
static struct slice take_head(struct slice bytes, bool is_request, bool *whole)
{
    size_t end = bytes.len, end_in_steps = bytes.len;
    struct fault fault = fault_none(), fault_in_steps = fault_none();
    enum lint_progress progress = find_end(bytes, is_request, SIZE_MAX, &end, &fault);
    assert(progress == find_end(bytes, is_request, 1, &end_in_steps, &fault_in_steps));
    *whole = progress == LINT_COMPLETE;
    if (*whole)
        assert(end == end_in_steps && end <= bytes.len);
    else
        assert(fault.status == fault_in_steps.status);
    return *whole ? slice_of(bytes.at, end) : bytes;
}

/* ---- the second reader ---- */

static struct slice slice_of_part(struct grammar_part part)
{
    return slice_of(part.at, part.len);
}

static bool is_status_of(int status, bool is_request, unsigned breaches)
{
    static const int statuses[] = {400, 414, 431, 501, 505, 417};
    if (!is_request)
        return breaches != 0 && status == 502;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if ((breaches & 1u << i) != 0 && status == statuses[i])
            return true;
    return false;
}

/* What was found while the head arrived. */
static void check_end(struct slice bytes, bool is_request, const struct grammar_head *want)
{
    size_t end = 0;
    struct fault fault;
    switch (find_end(bytes, is_request, SIZE_MAX, &end, &fault)) {
    case LINT_MORE:
        assert(!want->whole && want->hopeless == 0);
        break;
    case LINT_COMPLETE:
        assert(want->whole && want->hopeless == 0 && end == want->end);
        break;
    case LINT_BAD:
        assert(is_status_of(fault.status, is_request, want->hopeless));
        break;
    }
}

static void check_fields(const struct head *head, const struct grammar_head *want)
{
    assert(head->minor == (want->minor > 0) && head->count == want->count);
    for (size_t i = 0; i < want->count; i++)
        assert(slice_equals(head->fields[i].name, slice_of_part(want->fields[i].name)) &&
               slice_equals(head->fields[i].value, slice_of_part(want->fields[i].value)));
}

static struct slice path_of(const struct request *q, const struct grammar_head *want)
{
    if (want->path.at != NULL)
        return slice_of_part(want->path);
    bool is_options = slice_equals(q->head.method, SLICE("OPTIONS"));
    return is_options && want->query.at == NULL ? SLICE("*") : SLICE("/");
}

/* Framing is beyond it; what refuses that comes before nominations and expectations. */
static void check_request_twice(struct slice bytes, const struct request *q, struct fault fault)
{
    struct grammar_head want;
    struct framing framing;
    grammar_read_request(&want, bytes.at, bytes.len, &limits_again);
    check_end(bytes, true, &want);
    if (!want.whole || want.hopeless != 0)
        return;
    if (fault_is(fault)) {
        assert(is_status_of(fault.status, true, want.breaches) ||
               framing_of_request(&q->head, &framing).status == fault.status);
        return;
    }
    assert(want.breaches == 0);
    assert(slice_equals(q->head.method, slice_of_part(want.method)));
    assert(slice_equals(q->path, path_of(q, &want)));
    assert((q->query.at == NULL) == (want.query.at == NULL));
    assert(slice_equals(q->query, slice_of_part(want.query)));
    assert(slice_equals(q->host, slice_of_part(want.authority)));
    check_fields(&q->head, &want);
}

static void check_response_twice(struct slice bytes, const struct response *p, struct fault fault)
{
    struct grammar_head want;
    struct framing framing;
    grammar_read_response(&want, bytes.at, bytes.len, &limits_again);
    check_end(bytes, false, &want);
    if (!want.whole || want.hopeless != 0)
        return;
    if (fault_is(fault)) {
        assert(want.breaches != 0 || fault_is(framing_of_response(&p->head, false, &framing)));
        return;
    }
    assert(want.breaches == 0);
    assert(p->head.status == (int)want.status);
    assert(slice_equals(p->head.reason, slice_of_part(want.reason)));
    check_fields(&p->head, &want);
}

/* ---- the fields that may pass ---- */

/* Known under its name with '-' for every '_', which is kept from origins. */
static bool poses_as_known(struct slice name)
{
    char plain[32];
    if (name.len > sizeof plain || slice_find(name, '_') == name.len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        plain[i] = name.at[i] == '_' ? '-' : name.at[i];
    return field_id_of(slice_of(plain, name.len)) != FIELD_OTHER;
}

/* Whom a head is written for, and what an origin believes of the sender. */
enum reader { CLIENT, ORIGIN, ORIGIN_THAT_BELIEVES };

/* X-Forwarded-Port and its like, written with '_' or '-'. */
static bool tells_way(struct slice name)
{
    static const char prefix[] = "x-forwarded-";
    size_t same = 0;
    while (same < name.len && prefix[same] != '\0' &&
           (name.at[same] == '_' ? '-' : slice_lower(name.at[same])) == prefix[same])
        same++;
    return prefix[same] == '\0';
}

/* Whether a field that means nothing to a proxy is one that it hands on. */
static bool may_pass(const struct head *h, const struct field *f, enum reader to)
{
    if (head_has_token(h, FIELD_CONNECTION, f->name))
        return false;
    if (to == ORIGIN && tells_way(f->name))
        return false;
    return to == CLIENT || !poses_as_known(f->name);
}

static const struct field *next_other(const struct head *h, size_t *at)
{
    while (*at < h->count)
        if (h->fields[(*at)++].id == FIELD_OTHER)
            return &h->fields[*at - 1];
    return NULL;
}

static void check_others(const struct head *read, const struct head *written, enum reader reader)
{
    size_t i = 0, j = 0;
    const struct field *from;
    while ((from = next_other(read, &i)) != NULL) {
        if (!may_pass(read, from, reader))
            continue;
        const struct field *to = next_other(written, &j);
        assert(to != NULL && slice_equals(to->name, from->name) &&
               slice_equals(to->value, from->value));
    }
    assert(next_other(written, &j) == NULL);
}

static bool is_one_head(struct slice bytes, bool is_request)
{
    size_t scanned = 0, end = 0;
    struct fault fault;
    return lint_find_end(bytes, &scanned, is_request, &wide, &end, &fault) == LINT_COMPLETE &&
           end == bytes.len;
}

static bool same_framing(struct framing a, struct framing b)
{
    return a.kind == b.kind && a.length == b.length;
}

/* ---- requests ---- */

static void check_request_again(const struct request *q, const struct rewrite_request *how,
                                struct slice written, struct arena *arena)
{
    struct request again;
    bool disagreed;
    assert(is_one_head(written, true));
    struct fault fault = request_read(&again, arena, written, &wide, &disagreed);
    assert(!disagreed);
    /* A request of HTTP/1.0 without Host is told on with an empty one, which is refused here. */
    if (q->host.len == 0)
        return;
    assert(!fault_is(fault));
    assert(slice_equals(again.head.method, q->head.method));
    assert(slice_equals(again.path, q->path) && slice_equals(again.query, q->query));
    assert(slice_equals(again.host, q->host));
    assert(same_framing(again.framing, q->framing));
    assert((again.expect == EXPECT_HELD) == how->expect);
    assert(again.offers.count == how->upgrade->count);
    check_others(&q->head, &again.head, how->trusted ? ORIGIN_THAT_BELIEVES : ORIGIN);
}

static void check_request(struct slice bytes, struct arena *arena)
{
    struct request q;
    struct upgrade_offers offered;
    struct buf out;
    bool whole, disagreed;
    struct slice head = take_head(bytes, true, &whole);
    struct fault fault = request_read(&q, arena, head, &limits, &disagreed);
    assert(!disagreed);
    check_request_twice(bytes, &q, fault);
    if (fault_is(fault))
        return;
    assert(whole);
    upgrade_default(&q.offers, &offered);
    struct rewrite_request how = {
        .request = &q,
        .framing = q.framing,
        .expect = q.expect == EXPECT_HELD,
        .upgrade = &offered,
        .via = SLICE("interim"),
        .client = SLICE("192.0.2.1"),
        .scheme = SLICE("http"),
    };
    for (int trusted = 0; trusted < 2; trusted++) {
        how.trusted = trusted;
        buf_init(&out, WRITTEN_MAX);
        if (rewrite_request(&out, &how))
            check_request_again(&q, &how, buf_slice(&out), arena);
        buf_free(&out);
    }
}

/* ---- responses ---- */

/* Writes what a client of HTTP/1.1 gets; *framing is how. */
static bool write_response(struct buf *out, const struct response *p, bool to_head,
                           struct framing *framing)
{
    *framing = p->framing;
    if (p->head.status == 101)
        return rewrite_switching(out, &p->head, SLICE("interim"));
    if (p->head.status < 200)
        return rewrite_interim(out, &p->head, SLICE("interim"));
    if (framing->kind == FRAMING_CLOSE)
        framing->kind = FRAMING_CHUNKED;
    struct rewrite_response how = {
        .head = &p->head,
        .framing = *framing,
        .keep_framing_fields = to_head || p->head.status == 304,
        .close = !p->keep_alive,
        .via = SLICE("interim"),
        .date = SLICE("Sun, 06 Nov 1994 08:49:37 GMT"),
    };
    return rewrite_response(out, &how);
}

static void check_response(struct slice bytes, bool to_head, struct arena *arena)
{
    struct response p, again;
    struct framing framing;
    struct buf out;
    bool whole, disagreed;
    struct slice head = take_head(bytes, false, &whole);
    struct fault fault = response_read(&p, arena, head, to_head, &limits, &disagreed);
    assert(!disagreed);
    assert(!fault_is(fault) || fault.status == 502);
    if (!to_head)
        check_response_twice(bytes, &p, fault);
    if (fault_is(fault))
        return;
    assert(whole);
    buf_init(&out, WRITTEN_MAX);
    if (write_response(&out, &p, to_head, &framing)) {
        struct slice written = buf_slice(&out);
        assert(is_one_head(written, false));
        fault = response_read(&again, arena, written, to_head, &wide, &disagreed);
        assert(!disagreed && !fault_is(fault));
        assert(again.head.status == p.head.status);
        assert(slice_equals(again.head.reason, p.head.reason));
        assert(same_framing(again.framing, framing));
        assert(p.head.status < 200 || again.keep_alive == p.keep_alive);
        check_others(&p.head, &again.head, CLIENT);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice all = slice_of((const char *)bytes, size);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    check_request(all, &arena);
    arena_reset(&arena);
    check_response(all, false, &arena);
    check_response(all, true, &arena);
    arena_free(&arena);
    return 0;
}
