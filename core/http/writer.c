/*
 * writer: owns the place in the buffer where a head began, and what its Connection nominates.
 *
 * Promises that a head is written whole or not at all, and that no list of nominations makes
 * writing it slow.
 *
 * Next on a message's way: http/rewrite, which says what is written.
 */
#include "http/writer.h"

#include "base/digits.h"

/* Made anew for each hop, or not at all. */
static const bool hop_by_hop[FIELD_COUNT] = {
    [FIELD_CONNECTION] = true, [FIELD_HTTP2_SETTINGS] = true,    [FIELD_KEEP_ALIVE] = true,
    [FIELD_UPGRADE] = true,    [FIELD_PROXY_CONNECTION] = true,  [FIELD_TE] = true,
    [FIELD_TRAILER] = true,    [FIELD_TRANSFER_ENCODING] = true,
};

/* What frames, dates, authenticates or tells the way: a peer cannot have it removed by naming it.
 */
static const bool steadfast[FIELD_COUNT] = {
    [FIELD_AUTHORIZATION] = true,
    [FIELD_CONTENT_LENGTH] = true,
    [FIELD_COOKIE] = true,
    [FIELD_DATE] = true,
    [FIELD_EXPECT] = true,
    [FIELD_FORWARDED] = true,
    [FIELD_HOST] = true,
    [FIELD_MAX_FORWARDS] = true,
    [FIELD_PROXY_AUTHORIZATION] = true,
    [FIELD_SET_COOKIE] = true,
    [FIELD_VIA] = true,
    [FIELD_X_FORWARDED_FOR] = true,
    [FIELD_X_FORWARDED_HOST] = true,
    [FIELD_X_FORWARDED_PROTO] = true,
    [FIELD_X_REQUEST_ID] = true,
};

static void put_name(struct writer *w, struct slice name)
{
    writer_put(w, name);
    writer_put(w, SLICE(": "));
}

static void add_nominated(struct writer *w, struct slice list)
{
    struct slice name;
    while (w->ok && slice_next_member(&list, &name)) {
        if (w->nominated_count < WRITER_NOMINATED_MAX)
            w->nominated[w->nominated_count++] = name;
        else
            w->ok = false;
    }
}

static bool is_nominated(const struct writer *w, struct slice name)
{
    for (size_t i = 0; i < w->nominated_count; i++)
        if (slice_equals_nocase(w->nominated[i], name))
            return true;
    return false;
}

void writer_begin(struct writer *w, struct buf *out, const struct head *h)
{
    w->out = out;
    w->before = buf_len(out);
    w->ok = true;
    w->nominated_count = 0;
    if (h == NULL || !head_may_have(h, FIELD_CONNECTION))
        return;
    for (size_t i = 0; i < h->count; i++)
        if (h->fields[i].id == FIELD_CONNECTION)
            add_nominated(w, h->fields[i].value);
}

bool writer_finish(struct writer *w)
{
    if (!w->ok)
        buf_cut(w->out, w->before);
    return w->ok;
}

void writer_put_end(struct writer *w)
{
    writer_put(w, SLICE("\r\n"));
}

void writer_put_field(struct writer *w, struct slice name, struct slice value)
{
    size_t size = name.len + 2 + value.len + 2;
    char *to = writer_room(w, size);

    if (to == NULL)
        return;
    to = writer_part(to, name);
    to = writer_part(to, SLICE(": "));
    to = writer_part(to, value);
    writer_part(to, SLICE("\r\n"));
    writer_keep(w, size);
}

void writer_put_number_field(struct writer *w, struct slice name, uint64_t n)
{
    char digits[DIGITS_MAX];
    size_t len = (size_t)(digits_put(digits, n) - digits);

    writer_put_field(w, name, slice_of(digits, len));
}

void writer_put_member(struct writer_list *l, struct slice member)
{
    if (l->begun)
        writer_put(l->w, SLICE(", "));
    else
        put_name(l->w, l->name);
    writer_put(l->w, member);
    l->begun = true;
}

void writer_end_list(struct writer_list *l)
{
    if (l->begun)
        writer_put_end(l->w);
}

void writer_put_via(struct writer *w, unsigned received_minor, struct slice pseudonym)
{
    size_t size = sizeof "Via: 1.1 " - 1 + pseudonym.len + 2;
    char *to = slice_is_empty(pseudonym) ? NULL : writer_room(w, size);

    if (to == NULL)
        return;
    to = writer_part(to, received_minor == 0 ? SLICE("Via: 1.0 ") : SLICE("Via: 1.1 "));
    to = writer_part(to, pseudonym);
    writer_part(to, SLICE("\r\n"));
    writer_keep(w, size);
}

bool writer_stays_on_hop(const struct writer *w, const struct field *f)
{
    return hop_by_hop[f->id] || (!steadfast[f->id] && !f->set && is_nominated(w, f->name));
}
