/*
 * fuzz head: any bytes as the head of a request, and as that of a response.
 *
 * Must hold:
 *
 * - the end of a head is found alike in whatever pieces it comes, and nothing passes without one;
 * - lint and http-parser never disagree on a head that lint passed;
 * - what passes and is written for the next hop is read again there as exactly one head, with the
 *   same start line, the same framing and, in order and byte for byte, the fields that may pass.
 */
#include "http/request.h"
#include "http/response.h"
#include "http/rewrite.h"

#include <assert.h>

#define WRITTEN_MAX (64 * 1024)

/* Narrow, so that inputs of some hundred bytes meet the limits too; wide for what was written. */
static const struct lint_limits limits = {512, 2048, 24};
static const struct lint_limits wide = {WRITTEN_MAX, WRITTEN_MAX, LINT_FIELDS_MAX};

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

/* Whether a field that means nothing to a proxy is one that it hands on. */
static bool may_pass(const struct head *h, const struct field *f, bool to_origin)
{
    return !head_has_token(h, FIELD_CONNECTION, f->name) && !(to_origin && poses_as_known(f->name));
}

static const struct field *next_other(const struct head *h, size_t *at)
{
    while (*at < h->count)
        if (h->fields[(*at)++].id == FIELD_OTHER)
            return &h->fields[*at - 1];
    return NULL;
}

static void check_others(const struct head *read, const struct head *written, bool to_origin)
{
    size_t i = 0, j = 0;
    const struct field *from;
    while ((from = next_other(read, &i)) != NULL) {
        if (!may_pass(read, from, to_origin))
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
    check_others(&q->head, &again.head, true);
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
        check_others(&p.head, &again.head, false);
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
