/*
 * parser: lets http-parser read a head and compares every span with lint's. Owns nothing. Promises
 * that the library never sees a byte of a body and never decides anything: what it reports is
 * either what lint saw, or a reason to refuse the message.
 *
 * The head is fed in pieces, so that a byte can be replaced without a copy. Offsets count from the
 * first byte of the head, and a replaced byte keeps its offset.
 */
#include "http/parser.h"

#include <http_parser.h>

struct span {
    size_t at, len;
};

struct reading {
    http_parser parser;
    const struct lint_head *lint;
    struct slice bytes; /* the whole head */
    const char *piece;  /* what is being fed, */
    size_t offset;      /* and the offset of its first byte */
    struct span target;
    struct span reason;
    struct span name; /* of the field being read */
    struct span value;
    size_t fields; /* begun so far */
    bool in_value;
    bool complete;
    bool differs;
};

/* The library may hand a span out in parts, and empty parts with any address. */
static void extend(struct reading *r, struct span *span, const char *at, size_t len)
{
    if (len == 0)
        return;
    size_t offset = r->offset + (size_t)(at - r->piece);
    if (span->len == 0)
        span->at = offset;
    else if (offset != span->at + span->len)
        r->differs = true;
    span->len += len;
}

static bool is_span(struct span span, size_t at, size_t len)
{
    return span.len == len && (len == 0 || span.at == at);
}

/* The library leaves trailing white space on a value, where there is any. */
static bool is_value(const struct reading *r, size_t at, size_t len)
{
    if (is_span(r->value, at, len))
        return true;
    struct slice kept = slice_trim(slice_of(r->bytes.at + r->value.at, r->value.len));
    return is_span((struct span){(size_t)(kept.at - r->bytes.at), kept.len}, at, len);
}

static void compare_field(struct reading *r)
{
    if (r->fields > r->lint->count) {
        r->differs = true;
        return;
    }
    const struct lint_field *seen = &r->lint->fields[r->fields - 1];
    if (!is_span(r->name, seen->name, seen->name_len) || !is_value(r, seen->value, seen->value_len))
        r->differs = true;
}

static int on_target(http_parser *parser, const char *at, size_t len)
{
    struct reading *r = parser->data;
    extend(r, &r->target, at, len);
    return 0;
}

static int on_reason(http_parser *parser, const char *at, size_t len)
{
    struct reading *r = parser->data;
    extend(r, &r->reason, at, len);
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct reading *r = parser->data;
    if (r->in_value)
        compare_field(r);
    if (r->in_value || r->fields == 0) {
        r->fields++;
        r->name = r->value = (struct span){0, 0};
        r->in_value = false;
    }
    extend(r, &r->name, at, len);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct reading *r = parser->data;
    r->in_value = true;
    extend(r, &r->value, at, len);
    return 0;
}

/* Whatever the fields announce, the parser shall see neither a body nor an upgrade. */
static int on_head(http_parser *parser)
{
    struct reading *r = parser->data;
    if (r->in_value)
        compare_field(r);
    r->complete = true;
    parser->upgrade = 0;
    return 1;
}

/* A byte behind the head would not be consumed, which shows. */
static int on_end(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings callbacks = {
    .on_url = on_target,
    .on_status = on_reason,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_message_complete = on_end,
};

static void start(struct reading *r, enum http_parser_type type, struct slice bytes,
                  const struct lint_head *lint)
{
    *r = (struct reading){.lint = lint, .bytes = bytes};
    http_parser_init(&r->parser, type);
    r->parser.data = r;
    /* The library's own limit of 80 KB is not ours; lint has already applied ours. */
    http_parser_set_max_header_size(UINT32_MAX);
}

static void feed(struct reading *r, const char *piece, size_t offset, size_t len)
{
    r->piece = piece;
    r->offset = offset;
    if (http_parser_execute(&r->parser, &callbacks, piece, len) != len)
        r->differs = true;
}

/* The library takes any name that begins with Transfer-Encoding for it. */
static bool is_hidden(struct slice name)
{
    const struct slice coding = SLICE_INIT("Transfer-Encoding");
    const struct slice length = SLICE_INIT("Content-Length");
    if (name.len >= coding.len)
        return slice_equals_nocase(slice_of(name.at, coding.len), coding);
    return name.len == length.len && slice_equals_nocase(name, length);
}

/* Feeds the head from offset `from` to its end, with the first letter of hidden names replaced. */
static void feed_rest(struct reading *r, size_t from)
{
    for (size_t i = 0; i < r->lint->count; i++) {
        const struct lint_field *field = &r->lint->fields[i];
        if (!is_hidden(slice_of(r->bytes.at + field->name, field->name_len)))
            continue;
        feed(r, r->bytes.at + from, from, field->name - from);
        feed(r, "x", field->name, 1);
        from = field->name + 1;
    }
    feed(r, r->bytes.at + from, from, r->bytes.len - from);
}

static bool agrees(const struct reading *r)
{
    return r->complete && !r->differs && r->fields == r->lint->count &&
           r->parser.http_major == r->lint->major && r->parser.http_minor == r->lint->minor;
}

bool parser_agrees_on_request(struct slice bytes, const struct lint_head *lint)
{
    struct reading r;
    start(&r, HTTP_REQUEST, bytes, lint);
    feed(&r, "GET", lint->method, 3);
    feed_rest(&r, lint->method + lint->method_len);
    return agrees(&r) && is_span(r.target, lint->target, lint->target_len);
}

bool parser_agrees_on_response(struct slice bytes, const struct lint_head *lint)
{
    struct reading r;
    start(&r, HTTP_RESPONSE, bytes, lint);
    feed_rest(&r, 0);
    return agrees(&r) && (int)r.parser.status_code == lint->status &&
           is_span(r.reason, lint->reason, lint->reason_len);
}
