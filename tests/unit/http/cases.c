/* Every case of tests/cases through the functions the proxy reads with: whole, byte by byte, and
 * once more after it was written for the next hop. Behind each stands a marker that must be a
 * message of its own. Every head that lint passes is also read by http-parser: never differently.
 */
#include "../case.h"

#include "http/chunk.h"
#include "http/request.h"
#include "http/response.h"
#include "http/rewrite.h"

#include <http_parser.h>

static const struct lint_limits request_limits = {8192, 32768, 128};
static const struct lint_limits response_limits = {32768, 32768, 128};
static const struct slice request_marker =
    SLICE_INIT("GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n");
static const struct slice response_marker =
    SLICE_INIT("HTTP/1.1 299 Marker\r\nContent-Length: 6\r\n\r\nmarker");

/* A reading under way. */
struct reading {
    struct slice in; /* what is not used yet */
    size_t step;     /* bytes that become visible at a time */
    struct arena arena;
    struct head given; /* the fields that the next hop gets of the latest message */
    struct case_text *result;
};

static struct {
    size_t cases, heads, passed, refused, taken_by_parser;
    size_t disagreements, messages, written_anew;
} counted;

static void put_target(struct case_text *r, const struct request *q)
{
    case_put(r, q->path);
    case_put(r, q->query.at ? SLICE("?") : SLICE(""));
    case_put(r, q->query);
    case_put(r, SLICE(" "));
}

static struct slice framing_name(enum framing_kind kind)
{
    static const struct slice names[] = {
        [FRAMING_NONE] = SLICE_INIT("none"),
        [FRAMING_LENGTH] = SLICE_INIT("length"),
        [FRAMING_CHUNKED] = SLICE_INIT("chunked"),
        [FRAMING_CLOSE] = SLICE_INIT("close"),
    };
    return names[kind];
}

/* Finds a head, seen in steps, and copies it. */
static enum lint_progress take_head(struct reading *r, bool is_request, struct slice *head,
                                    struct fault *fault)
{
    const struct lint_limits *limits = is_request ? &request_limits : &response_limits;
    enum lint_progress progress = LINT_MORE;
    size_t scanned = 0;
    size_t end = 0;
    for (size_t seen = 0; progress == LINT_MORE && seen < r->in.len;) {
        seen = r->in.len - seen > r->step ? seen + r->step : r->in.len;
        progress =
            lint_find_end(slice_of(r->in.at, seen), &scanned, is_request, limits, &end, fault);
    }
    if (progress != LINT_COMPLETE)
        return progress;
    *head = arena_copy(&r->arena, slice_of(r->in.at, end));
    assert_non_null(head->at);
    r->in = slice_skip(r->in, end);
    return progress;
}

/* Reads a chunked body, seen in steps, into the line of its message. */
static enum chunk_event take_chunks(struct reading *r, struct buf *trailers)
{
    struct chunk chunk;
    enum chunk_event event = CHUNK_MORE;
    struct slice out;
    chunk_init(&chunk);
    while (event == CHUNK_MORE && r->in.len > 0) {
        struct slice seen = slice_of(r->in.at, r->in.len < r->step ? r->in.len : r->step);
        do {
            event = chunk_decode(&chunk, &seen, &out);
            if (event == CHUNK_DATA)
                case_put(r->result, out);
            if (event == CHUNK_TRAILER)
                assert_true(buf_append_slice(trailers, out));
        } while (event == CHUNK_DATA || event == CHUNK_TRAILER);
        r->in = slice_skip(r->in, (size_t)(seen.at - r->in.at));
    }
    return event;
}

/* Adds the trailer fields that are given on to those of the message. */
static void keep_trailers(struct reading *r, struct slice lines)
{
    struct buf out;
    struct slice name;
    struct slice value;
    buf_init(&out, CASE_TEXT_MAX);
    assert_true(rewrite_trailers(&out, lines));
    struct slice rest = arena_copy(&r->arena, buf_slice(&out));
    buf_free(&out);
    while (rest.len > 0) {
        size_t end = slice_find(rest, '\r');
        assert_true(lint_field_line(slice_of(rest.at, end), &name, &value));
        assert_true(head_add(&r->given, name, value));
        rest = slice_skip(rest, end + 2);
    }
}

static enum chunk_event take_body(struct reading *r, struct framing framing)
{
    struct buf trailers;
    size_t length = framing.kind == FRAMING_NONE ? 0 : r->in.len;
    if (framing.kind == FRAMING_CHUNKED) {
        buf_init(&trailers, CHUNK_TRAILER_MAX);
        enum chunk_event event = take_chunks(r, &trailers);
        if (event == CHUNK_END)
            keep_trailers(r, buf_slice(&trailers));
        buf_free(&trailers);
        return event;
    }
    if (framing.kind == FRAMING_LENGTH && framing.length > r->in.len)
        return CHUNK_MORE;
    if (framing.kind == FRAMING_LENGTH)
        length = (size_t)framing.length;
    case_put(r->result, slice_of(r->in.at, length));
    r->in = slice_skip(r->in, length);
    return CHUNK_END;
}

/* The line of a message, begun; taken back if its body is not whole. */
static bool see(struct reading *r, size_t start, struct framing framing, enum chunk_event *event)
{
    case_put(r->result, framing_name(framing.kind));
    size_t before = r->result->len + 1;
    case_put(r->result, SLICE(" "));
    *event = take_body(r, framing);
    if (r->result->len == before)
        r->result->len--;
    case_put(r->result, SLICE("\n"));
    if (*event != CHUNK_END)
        r->result->len = start;
    else
        counted.messages++;
    return *event == CHUNK_END;
}

static void then(struct reading *r, const char *word)
{
    case_put(r->result, slice_of_string(word));
}

/* Whether the library alone would have taken a head that lint refused. */
static void ask_parser_alone(struct slice head, bool is_request)
{
    http_parser_settings settings;
    http_parser parser;
    http_parser_settings_init(&settings);
    http_parser_init(&parser, is_request ? HTTP_REQUEST : HTTP_RESPONSE);
    http_parser_execute(&parser, &settings, head.at, head.len);
    counted.refused++;
    counted.taken_by_parser += HTTP_PARSER_ERRNO(&parser) == HPE_OK;
}

static void note_head(struct slice head, bool is_request, struct fault fault, bool disagreed)
{
    counted.heads++;
    counted.disagreements += disagreed;
    if (fault_is(fault))
        ask_parser_alone(head, is_request);
    else
        counted.passed++;
}

static struct slice field_value(const struct head *h, struct slice name)
{
    const struct field *f = head_find_name(h, name);
    return f ? f->value : slice_of(NULL, 0);
}

static void check_fields(const struct wire_case *c, const struct head *h)
{
    for (size_t i = 0; i < c->passes_count; i++) {
        size_t colon = slice_find(c->passes[i], ':');
        struct slice got = field_value(h, slice_of(c->passes[i].at, colon));
        if (!slice_equals(got, slice_skip(c->passes[i], colon + 2)))
            fail_msg("%.*s: wanted %.*s, got \"%.*s\"", SLICE_ARG(c->name), SLICE_ARG(c->passes[i]),
                     SLICE_ARG(got));
    }
    for (size_t i = 0; i < c->drops_count; i++)
        if (head_find_name(h, c->drops[i]))
            fail_msg("%.*s: %.*s was given on", SLICE_ARG(c->name), SLICE_ARG(c->drops[i]));
}

/* Writes a request for its origin and reads that again: the same message, without doubt. False when
 * it cannot be written. */
static bool write_anew(struct reading *r, const struct request *q)
{
    struct upgrade_offers offered;
    upgrade_default(&q->offers, &offered);
    struct rewrite_request how = {
        .request = q,
        .framing = q->framing,
        .expect = q->expect == EXPECT_HELD,
        .upgrade = &offered,
        .via = SLICE("interim"),
        .client = SLICE("127.0.0.1"),
        .scheme = SLICE("http"),
    };
    struct buf out;
    struct request again;
    bool disagreed;
    buf_init(&out, CASE_TEXT_MAX);
    bool written = rewrite_request(&out, &how);
    if (written) {
        struct slice head = arena_copy(&r->arena, buf_slice(&out));
        /* A request of HTTP/1.0 without Host is told on with an empty one. */
        if (q->host.len > 0) {
            assert_false(
                fault_is(request_read(&again, &r->arena, head, &response_limits, &disagreed)));
            assert_true(again.framing.kind == q->framing.kind &&
                        again.framing.length == q->framing.length);
            assert_true(slice_equals(again.head.method, q->head.method));
            assert_true(slice_equals(again.path, q->path) && slice_equals(again.query, q->query));
            assert_true(slice_equals(again.host, q->host));
            r->given = again.head;
            counted.written_anew++;
        }
    }
    buf_free(&out);
    return written;
}

/* Reads one request. False when the connection is over, which *r says then. */
static bool read_request(struct reading *r)
{
    struct fault fault = fault_none();
    struct slice head;
    struct request q;
    struct upgrade_offers offered;
    enum chunk_event event;
    bool disagreed;
    size_t start = r->result->len;
    enum lint_progress progress = take_head(r, true, &head, &fault);
    if (progress == LINT_COMPLETE) {
        fault = request_read(&q, &r->arena, head, &request_limits, &disagreed);
        note_head(head, true, fault, disagreed);
        if (!fault_is(fault) && !write_anew(r, &q))
            fault = fault_of(400, "cannot be written");
    }
    if (fault_is(fault))
        case_put_number(r->result, fault.status);
    else if (progress == LINT_MORE)
        then(r, "more");
    if (fault_is(fault) || progress == LINT_MORE)
        return false;
    case_put_word(r->result, q.head.method);
    put_target(r->result, &q);
    case_put_word(r->result, q.host);
    if (!see(r, start, q.framing, &event)) {
        then(r, event == CHUNK_MORE ? "more" : "400");
        return false;
    }
    upgrade_default(&q.offers, &offered);
    if (q.keep_alive && offered.count == 0)
        return true;
    then(r, "close");
    return false;
}

/* Reads the interim responses and the final one. */
static void read_responses(struct reading *r, const struct wire_case *c)
{
    struct fault fault = fault_none();
    struct slice head;
    struct response p;
    enum chunk_event event;
    bool disagreed;
    do {
        enum lint_progress progress = take_head(r, false, &head, &fault);
        if (progress == LINT_COMPLETE) {
            fault = response_read(&p, &r->arena, head, c->to_head, &response_limits, &disagreed);
            note_head(head, false, fault, disagreed);
        }
        if (fault_is(fault) || (progress == LINT_COMPLETE && p.head.status == 101)) {
            then(r, "502");
            return;
        }
        if (progress == LINT_MORE) {
            then(r, "more");
            return;
        }
        size_t start = r->result->len;
        case_put_number(r->result, p.head.status);
        case_put(r->result, SLICE(" "));
        if (!see(r, start, p.framing, &event)) {
            then(r, event == CHUNK_MORE ? "more" : "cut");
            return;
        }
    } while (p.head.status < 200);
    then(r, p.keep_alive ? "next" : "close");
}

static void read_body(struct reading *r, const struct wire_case *c)
{
    enum chunk_event event;
    size_t start = r->result->len;
    if (see(r, start, (struct framing){FRAMING_CHUNKED, 0}, &event))
        then(r, "next");
    else
        then(r, event == CHUNK_MORE ? "more" : "bad");
    check_fields(c, &r->given);
}

static void read_requests(struct reading *r, const struct wire_case *c)
{
    /* The fields are those of the last message of the case; the marker has none to check. */
    for (size_t seen = 0; r->in.len > 0; seen++) {
        if (seen == c->sees_count)
            check_fields(c, &r->given);
        if (!read_request(r)) {
            check_fields(c, &r->given);
            return;
        }
    }
    then(r, "next");
}

static struct slice marker_of(const struct wire_case *c)
{
    return c->kind == CASE_RESPONSE ? response_marker : request_marker;
}

static void check_case(const struct wire_case *c, struct slice bytes, size_t step)
{
    static char got_text[CASE_TEXT_MAX], wanted_text[CASE_TEXT_MAX];
    struct case_text got = {got_text, 0};
    struct case_text want = {wanted_text, 0};
    struct reading r = {.in = bytes, .step = step, .result = &got};
    arena_init(&r.arena, CASE_ROOM);
    r.given = (struct head){.arena = &r.arena};
    if (c->kind == CASE_REQUEST)
        read_requests(&r, c);
    else if (c->kind == CASE_RESPONSE)
        read_responses(&r, c);
    else
        read_body(&r, c);
    arena_free(&r.arena);
    case_wanted(c, marker_of(c), &want);
    if (!slice_equals(slice_of(got.at, got.len), slice_of(want.at, want.len)))
        fail_msg("%.*s: wanted\n%.*s\ngot\n%.*s", SLICE_ARG(c->name), (int)want.len, want.at,
                 (int)got.len, got.at);
    bool is_over = slice_equals(c->then, SLICE("next")) && c->kind != CASE_REQUEST;
    if (is_over && !slice_ends(r.in, marker_of(c)))
        fail_msg("%.*s: what is left does not end in the marker: \"%.*s\"", SLICE_ARG(c->name),
                 SLICE_ARG(r.in));
}

static void check_every_case(size_t step)
{
    struct case_reader reader;
    struct wire_case c;
    char *bytes = malloc(CASE_ROOM);
    assert_non_null(bytes);
    memset(&counted, 0, sizeof counted);
    case_open(&reader, CASES);
    while (case_next(&reader, &c)) {
        struct slice marker = marker_of(&c);
        size_t len = c.bytes.len;
        memcpy(bytes, c.bytes.at, len);
        if (!slice_equals(c.then, SLICE("more"))) {
            memcpy(bytes + len, marker.at, marker.len);
            len += marker.len;
        }
        check_case(&c, slice_of(bytes, len), step);
        counted.cases++;
    }
    case_close(&reader);
    free(bytes);
    print_message(
        "%zu cases, %zu messages, %zu written anew and read alike; %zu heads read twice, "
        "%zu passed, %zu disagreements; of %zu refused heads the library alone takes %zu\n",
        counted.cases, counted.messages, counted.written_anew, counted.heads, counted.passed,
        counted.disagreements, counted.refused, counted.taken_by_parser);
    assert_true(counted.cases >= 1000);
    assert_int_equal(counted.disagreements, 0);
}

static void every_case_comes_to_what_it_says(void **state)
{
    (void)state;
    check_every_case(SIZE_MAX);
}

static void every_case_comes_to_the_same_byte_by_byte(void **state)
{
    (void)state;
    check_every_case(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_to_what_it_says),
        cmocka_unit_test(every_case_comes_to_the_same_byte_by_byte),
    };
    return cmocka_run_group_tests_name("cases", tests, NULL, NULL);
}
