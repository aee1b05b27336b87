/*
 * rewrite: owns nothing; writes heads into a buffer of the caller, field by field, in one pass.
 *
 * Promises that no byte reaches the other side that was not parsed or made here, that what belongs
 * to one hop stays there, and that a head is written whole or not at all.
 *
 * Next on a message's way: out through net/relay.
 */
#include "http/rewrite.h"

#include "http/writer.h"

#include <assert.h>

/* Beside every field with an id of its own (RFC 9110 section 6.5.1). */
static const struct slice never_in_trailers[] = {
    SLICE_INIT("age"),
    SLICE_INIT("cache-control"),
    SLICE_INIT("content-encoding"),
    SLICE_INIT("content-location"),
    SLICE_INIT("content-range"),
    SLICE_INIT("content-type"),
    SLICE_INIT("expires"),
    SLICE_INIT("if-match"),
    SLICE_INIT("if-modified-since"),
    SLICE_INIT("if-none-match"),
    SLICE_INIT("if-range"),
    SLICE_INIT("if-unmodified-since"),
    SLICE_INIT("location"),
    SLICE_INIT("origin"),
    SLICE_INIT("pragma"),
    SLICE_INIT("proxy-authenticate"),
    SLICE_INIT("range"),
    SLICE_INIT("referer"),
    SLICE_INIT("retry-after"),
    SLICE_INIT("sec-websocket-extensions"),
    SLICE_INIT("sec-websocket-protocol"),
    SLICE_INIT("sec-websocket-version"),
    SLICE_INIT("user-agent"),
    SLICE_INIT("vary"),
    SLICE_INIT("warning"),
    SLICE_INIT("www-authenticate"),
    SLICE_INIT("x-real-ip"),
};

#define NAME_MAX_KNOWN 31 /* no name that this file compares is longer */

/* The name with '-' for every '_', as servers that make variables of fields cannot tell them
 * apart. Too long a name is none that matters. */
static struct slice with_dashes(struct slice name, char room[NAME_MAX_KNOWN])
{
    if (name.len > NAME_MAX_KNOWN)
        return slice_of(NULL, 0);
    for (size_t i = 0; i < name.len; i++)
        room[i] = name.at[i] == '_' ? '-' : name.at[i];
    return slice_of(room, name.len);
}

static bool poses_as_known(struct slice name)
{
    char room[NAME_MAX_KNOWN];
    return slice_find(name, '_') < name.len && field_id_of(with_dashes(name, room)) != FIELD_OTHER;
}

/* X-Forwarded-Port, -Prefix and what else servers believe of the way to them. */
static bool tells_way(struct slice name)
{
    const struct slice prefix = SLICE_INIT("X-Forwarded-");
    char room[NAME_MAX_KNOWN];
    if (name.len < prefix.len || slice_lower(name.at[0]) != 'x')
        return false;
    return slice_equals_nocase(with_dashes(slice_of(name.at, prefix.len), room), prefix);
}

static bool may_be_trailer(struct slice name)
{
    char room[NAME_MAX_KNOWN];
    struct slice plain = with_dashes(name, room);
    if (field_id_of(plain) != FIELD_OTHER || tells_way(name))
        return false;
    for (size_t i = 0; i < sizeof never_in_trailers / sizeof never_in_trailers[0]; i++)
        if (slice_equals_nocase(plain, never_in_trailers[i]))
            return false;
    return true;
}

struct request_writer {
    struct writer w;
    const struct rewrite_request *r;
    const struct field *last_for; /* the last X-Forwarded-For, or NULL */
    bool upgrading;
    bool settings;   /* HTTP2-Settings passes */
    bool has_length; /* Content-Length is written */
};

static void put_request_line(struct writer *w, const struct request *q)
{
    assert(slice_is_token(q->head.method) && lint_is_target(q->path));
    assert(q->query.len == 0 || (q->query.at != NULL && lint_is_target(q->query)));
    struct slice query = q->query.at != NULL ? SLICE("?") : SLICE("");
    size_t size = q->head.method.len + 1 + q->path.len + query.len + q->query.len +
                  sizeof " HTTP/1.1\r\n" - 1;
    char *to = writer_room(w, size);
    if (to == NULL)
        return;
    to = writer_part(to, q->head.method);
    to = writer_part(to, SLICE(" "));
    to = writer_part(to, q->path);
    to = writer_part(to, query);
    to = writer_part(to, q->query);
    writer_part(to, SLICE(" HTTP/1.1\r\n"));
    writer_keep(w, size);
}

static const struct field *find_last(const struct head *h, enum field_id id)
{
    for (size_t i = h->count; i > 0; i--)
        if (h->fields[i - 1].id == id)
            return &h->fields[i - 1];
    return NULL;
}

static void put_max_forwards(struct request_writer *s, const struct field *f)
{
    struct slice method = s->r->request->head.method;
    bool counts = slice_equals(method, SLICE("TRACE")) || slice_equals(method, SLICE("OPTIONS"));
    uint64_t n;
    if (counts && slice_to_number(f->value, &n) && n > 0)
        writer_put_number_field(&s->w, f->name, n - 1);
    else
        writer_put_field(&s->w, f->name, f->value);
}

/* Of the way here speak the policy and those that it trusts. */
static bool may_tell_way(const struct request_writer *s, const struct field *f)
{
    return f != NULL && (s->r->trusted || f->set);
}

static void put_forwarded_for(struct request_writer *s, const struct field *f)
{
    struct writer_list l = {&s->w, f->name, false};
    bool append = f == s->last_for && !f->set && !slice_is_empty(s->r->client);
    if (!may_tell_way(s, f))
        return;
    if (!append || !slice_is_empty(f->value))
        writer_put_member(&l, f->value);
    if (append)
        writer_put_member(&l, s->r->client);
    writer_end_list(&l);
}

static void put_request_field(struct request_writer *s, const struct field *f)
{
    struct writer *w = &s->w;
    const struct rewrite_request *r = s->r;
    switch (f->id) {
    case FIELD_HOST:
    case FIELD_EXPECT:
        return;
    case FIELD_CONTENT_LENGTH:
        if (r->framing.kind == FRAMING_LENGTH && !s->has_length)
            writer_put_number_field(w, f->name, r->framing.length);
        s->has_length = true;
        return;
    case FIELD_HTTP2_SETTINGS:
        if (s->settings)
            writer_put_field(w, f->name, f->value);
        return;
    case FIELD_MAX_FORWARDS:
        put_max_forwards(s, f);
        return;
    case FIELD_TRAILER:
        if (r->framing.kind == FRAMING_CHUNKED && r->request->framing.kind == FRAMING_CHUNKED)
            writer_put_field(w, f->name, f->value);
        return;
    case FIELD_X_FORWARDED_FOR:
        put_forwarded_for(s, f);
        return;
    case FIELD_FORWARDED:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_PROTO:
        if (may_tell_way(s, f))
            writer_put_field(w, f->name, f->value);
        return;
    default:
        if (tells_way(f->name) && !may_tell_way(s, f))
            return;
        if (!writer_stays_on_hop(w, f) && (f->set || !poses_as_known(f->name)))
            writer_put_field(w, f->name, f->value);
    }
}

static void put_request_framing(struct request_writer *s)
{
    struct framing f = s->r->framing;
    assert(f.kind != FRAMING_CLOSE);
    if (f.kind == FRAMING_LENGTH && !s->has_length)
        writer_put_number_field(&s->w, SLICE("Content-Length"), f.length);
    if (f.kind == FRAMING_CHUNKED)
        writer_put_field(&s->w, SLICE("Transfer-Encoding"), SLICE("chunked"));
    if (s->r->expect)
        writer_put_field(&s->w, SLICE("Expect"), SLICE("100-continue"));
}

/* Upgrade and TE, and the Connection that names them. */
static void put_request_hop(struct request_writer *s)
{
    const struct head *h = &s->r->request->head;
    bool trailers = h->minor > 0 && head_has_token(h, FIELD_TE, SLICE("trailers"));
    struct writer_list upgrade = {&s->w, SLICE("Upgrade"), false};
    struct writer_list connection = {&s->w, SLICE("Connection"), false};

    for (size_t i = 0; s->upgrading && i < s->r->upgrade->count; i++)
        writer_put_member(&upgrade, s->r->upgrade->protocol[i]);
    writer_end_list(&upgrade);
    if (trailers)
        writer_put_field(&s->w, SLICE("TE"), SLICE("trailers"));

    if (s->upgrading)
        writer_put_member(&connection, SLICE("upgrade"));
    if (s->settings)
        writer_put_member(&connection, SLICE("HTTP2-Settings"));
    if (trailers)
        writer_put_member(&connection, SLICE("TE"));
    writer_end_list(&connection);
}

/* Last of all, so that nothing the client nominated can take them away again. */
static void put_request_origin(struct request_writer *s)
{
    const struct rewrite_request *r = s->r;
    const struct head *h = &r->request->head;
    if (!may_tell_way(s, s->last_for) && !slice_is_empty(r->client))
        writer_put_field(&s->w, SLICE("X-Forwarded-For"), r->client);
    if (!may_tell_way(s, head_find(h, FIELD_X_FORWARDED_HOST)) && !slice_is_empty(r->request->host))
        writer_put_field(&s->w, SLICE("X-Forwarded-Host"), r->request->host);
    if (!may_tell_way(s, head_find(h, FIELD_X_FORWARDED_PROTO)))
        writer_put_field(&s->w, SLICE("X-Forwarded-Proto"), r->scheme);
    if (!slice_is_empty(r->id) && head_find(h, FIELD_X_REQUEST_ID) == NULL)
        writer_put_field(&s->w, SLICE("X-Request-Id"), r->id);
    writer_put_via(&s->w, h->minor, r->via);
}

bool rewrite_request(struct buf *out, const struct rewrite_request *r)
{
    const struct head *h = &r->request->head;
    WRITER_UNCLEARED struct request_writer s;
    writer_begin(&s.w, out, h);
    s.r = r;
    s.last_for = find_last(h, FIELD_X_FORWARDED_FOR);
    s.upgrading = r->upgrade != NULL && r->upgrade->count > 0;
    s.settings = s.upgrading && upgrade_offers_has(r->upgrade, SLICE("h2c")) &&
                 head_find(h, FIELD_HTTP2_SETTINGS) != NULL;
    s.has_length = false;

    put_request_line(&s.w, r->request);
    writer_put_field(&s.w, SLICE("Host"), r->request->host);
    for (size_t i = 0; i < h->count; i++)
        put_request_field(&s, &h->fields[i]);
    put_request_framing(&s);
    put_request_hop(&s);
    put_request_origin(&s);
    writer_put_end(&s.w);
    return writer_finish(&s.w);
}

static void put_status_line(struct writer *w, const struct head *h)
{
    assert(h->status >= 100 && h->status <= 599);
    char code[] = {(char)('0' + h->status / 100), (char)('0' + h->status / 10 % 10),
                   (char)('0' + h->status % 10)};
    size_t size = sizeof "HTTP/1.1 200 \r\n" - 1 + h->reason.len;
    char *to = writer_room(w, size);
    if (to == NULL)
        return;
    to = writer_part(to, SLICE("HTTP/1.1 "));
    to = writer_part(to, slice_of(code, sizeof code));
    to = writer_part(to, SLICE(" "));
    to = writer_part(to, h->reason);
    writer_part(to, SLICE("\r\n"));
    writer_keep(w, size);
}

/* chunked is the only transfer coding that http/framing lets pass. */
static bool was_chunked(const struct head *h)
{
    return head_find(h, FIELD_TRANSFER_ENCODING) != NULL;
}

static void put_response_field(struct writer *w, const struct rewrite_response *r,
                               const struct field *f, bool *has_length)
{
    switch (f->id) {
    case FIELD_CONTENT_LENGTH:
        if (r->keep_framing_fields)
            writer_put_field(w, f->name, f->value);
        else if (r->framing.kind == FRAMING_LENGTH && !*has_length)
            writer_put_number_field(w, f->name, r->framing.length);
        *has_length = true;
        return;
    case FIELD_TRAILER:
        if (r->framing.kind == FRAMING_CHUNKED && was_chunked(r->head))
            writer_put_field(w, f->name, f->value);
        return;
    case FIELD_UPGRADE:
        if (r->head->status == 426)
            writer_put_field(w, f->name, f->value);
        return;
    default:
        if (!writer_stays_on_hop(w, f))
            writer_put_field(w, f->name, f->value);
    }
}

static void put_response_hop(struct writer *w, const struct rewrite_response *r)
{
    struct writer_list connection = {w, SLICE("Connection"), false};
    if (r->close)
        writer_put_member(&connection, SLICE("close"));
    if (r->keep_alive)
        writer_put_member(&connection, SLICE("keep-alive"));
    if (r->head->status == 426 && head_find(r->head, FIELD_UPGRADE) != NULL)
        writer_put_member(&connection, SLICE("upgrade"));
    writer_end_list(&connection);
}

bool rewrite_response(struct buf *out, const struct rewrite_response *r)
{
    const struct head *h = r->head;
    WRITER_UNCLEARED struct writer w;
    bool has_length = false;
    assert(h->status >= 200 && !(r->close && r->keep_alive));
    writer_begin(&w, out, h);
    put_status_line(&w, h);
    for (size_t i = 0; i < h->count; i++)
        put_response_field(&w, r, &h->fields[i], &has_length);
    if (r->framing.kind == FRAMING_LENGTH && !has_length)
        writer_put_number_field(&w, SLICE("Content-Length"), r->framing.length);
    if (r->framing.kind == FRAMING_CHUNKED)
        writer_put_field(&w, SLICE("Transfer-Encoding"), SLICE("chunked"));
    if (!slice_is_empty(r->date) && head_find(h, FIELD_DATE) == NULL)
        writer_put_field(&w, SLICE("Date"), r->date);
    put_response_hop(&w, r);
    writer_put_via(&w, h->minor, r->via);
    writer_put_end(&w);
    return writer_finish(&w);
}

/* What may stand in a head that frames nothing: a 1xx. */
static void put_interim_fields(struct writer *w, const struct head *h)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct field *f = &h->fields[i];
        if (f->id != FIELD_CONTENT_LENGTH && !writer_stays_on_hop(w, f))
            writer_put_field(w, f->name, f->value);
    }
}

bool rewrite_interim(struct buf *out, const struct head *head, struct slice via)
{
    WRITER_UNCLEARED struct writer w;
    assert(head->status < 200 && head->status != 101);
    writer_begin(&w, out, head);
    put_status_line(&w, head);
    put_interim_fields(&w, head);
    writer_put_via(&w, head->minor, via);
    writer_put_end(&w);
    return writer_finish(&w);
}

static void put_switched(struct writer *w, const struct head *h)
{
    struct writer_list upgrade = {w, SLICE("Upgrade"), false};
    for (size_t i = 0; i < h->count; i++) {
        struct slice list = h->fields[i].value;
        struct slice protocol;
        while (h->fields[i].id == FIELD_UPGRADE && slice_next_member(&list, &protocol))
            writer_put_member(&upgrade, protocol);
    }
    writer_end_list(&upgrade);
}

bool rewrite_switching(struct buf *out, const struct head *head, struct slice via)
{
    WRITER_UNCLEARED struct writer w;
    assert(head->status == 101);
    writer_begin(&w, out, head);
    put_status_line(&w, head);
    put_interim_fields(&w, head);
    put_switched(&w, head);
    writer_put_field(&w, SLICE("Connection"), SLICE("upgrade"));
    writer_put_via(&w, head->minor, via);
    writer_put_end(&w);
    return writer_finish(&w);
}

bool rewrite_trailers(struct buf *out, struct slice lines)
{
    WRITER_UNCLEARED struct writer w;
    writer_begin(&w, out, NULL);
    while (lines.len > 0) {
        size_t end = slice_find(lines, '\r');
        struct slice name;
        struct slice value;
        if (lint_field_line(slice_of(lines.at, end), &name, &value) && may_be_trailer(name))
            writer_put_field(&w, name, value);
        lines = slice_skip(lines, end + 2);
    }
    return writer_finish(&w);
}
