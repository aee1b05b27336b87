/*
 * books: sorts what was said and heard into messages. See books.h.
 *
 * Reading ends at a 101: what follows it is another protocol's.
 */
#include "books.h"

#include <string.h>

#define ROOM ((CLIENTS + ORIGINS) * 2 * TEXT_MAX)

static char room[ROOM]; /* of bodies put together from chunks */
static size_t room_used;
static struct books books;

bool entry_method_is(const struct entry *e, const char *method)
{
    return slice_equals(e->method, slice_of_string(method));
}

bool entry_same_request(const struct entry *a, const struct entry *b)
{
    return slice_equals(a->method, b->method) && slice_equals(a->target, b->target);
}

static struct wire open_wire(struct slice in, bool ended)
{
    return (struct wire){in, ended, room + room_used, sizeof room - room_used};
}

/* What was put together stays. */
static void close_wire(const struct wire *w)
{
    room_used = sizeof room - w->room_len;
}

static bool add(struct book *book, const struct entry *e)
{
    if (book->count == ENTRIES_MAX)
        return false;
    book->entries[book->count++] = *e;
    return true;
}

/* ---- requests ---- */

static struct slice put_behind_slash(struct wire *w, struct slice query)
{
    char *to = w->room;

    if (w->room_len < query.len + 1)
        return query;
    to[0] = '/';
    memcpy(to + 1, query.at, query.len);
    w->room += query.len + 1;
    w->room_len -= query.len + 1;
    return slice_of(to, query.len + 1);
}

/* RFC 9112 section 3.2: what an absolute-form target becomes at an origin. */
static struct slice to_origin_form(struct wire *w, struct slice target, bool options)
{
    size_t scheme = slice_starts(target, SLICE("http://"))    ? 7
                    : slice_starts(target, SLICE("https://")) ? 8
                                                              : 0;
    struct slice rest = slice_skip(target, scheme);
    size_t end = 0;

    if (scheme == 0)
        return target;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    if (end == rest.len)
        return options ? SLICE("*") : SLICE("/");
    rest = slice_skip(rest, end);
    return slice_starts(rest, SLICE("?")) ? put_behind_slash(w, rest) : rest;
}

static void read_line(struct wire *w, struct entry *e)
{
    struct slice line = e->m.line;
    size_t first = slice_find(line, ' ');
    struct slice rest = slice_skip(line, first < line.len ? first + 1 : first);

    e->method = slice_of(line.at, first);
    e->target =
        to_origin_form(w, slice_of(rest.at, slice_find(rest, ' ')), entry_method_is(e, "OPTIONS"));
}

/* RFC 9112 section 2.2: one or two empty lines before a request are nothing. */
static void skip_empty_lines(struct slice *in)
{
    for (int i = 0; i < 2 && slice_starts(*in, SLICE("\r\n")); i++)
        *in = slice_skip(*in, 2);
}

/* False when there are more than fit. With `one_offer`, what follows an offered upgrade is none. */
static bool read_requests(struct book *book, struct slice in, bool one_offer)
{
    struct wire w = open_wire(in, false);
    struct entry e = {.question = 0};
    bool fits = true;

    book->count = 0;
    book->bad = NULL;
    book->rest = w.in;
    skip_empty_lines(&w.in);
    while (fits && book->bad == NULL && wire_next(&w, false, &e.m)) {
        book->bad = e.m.bad != NULL ? e.m.bad : wire_status(&e.m) > 0 ? "a response" : NULL;
        if (book->bad != NULL)
            break;
        read_line(&w, &e);
        e.after = w.in;
        fits = add(book, &e);
        book->bad = e.m.broken;
        book->rest = w.in;
        skip_empty_lines(&w.in);
        if (one_offer && wire_field(&e.m, "Upgrade").len > 0)
            break;
    }
    close_wire(&w);
    return fits;
}

/* ---- responses ---- */

/* Whether it asks for no body, and its answer came when its method was known: one that says that
 * the request took too long need not have waited for that. */
static bool is_head(const struct entry *question, const char *known)
{
    return entry_method_is(question, "HEAD") && question->m.line.at + sizeof "HEAD" <= known;
}

/* `known`: where that ends to which these can be answers. `origin`: who said them, when it is to be
 * asked which of them were said too early. */
static bool read_responses(struct dialogue *d, struct slice in, bool ended, const char *known,
                           const struct end *origin)
{
    struct book *book = &d->answered;
    struct wire w = open_wire(in, ended);
    struct entry e = {.question = 0};
    bool fits = true, switched = false;

    book->count = 0;
    book->bad = NULL;
    book->rest = w.in;
    while (fits && !switched && book->bad == NULL) {
        bool bodyless =
            e.question < d->asked.count && is_head(&d->asked.entries[e.question], known);
        unsigned status;
        if (!wire_next(&w, bodyless, &e.m))
            break;
        status = wire_status(&e.m);
        book->bad = status < 100 ? "what is no response" : e.m.bad != NULL ? e.m.bad : e.m.broken;
        if (status < 100)
            break;
        e.after = book->rest = w.in;
        e.unasked =
            origin != NULL && e.question >= end_asked_at(origin, (size_t)(e.m.head.at - in.at));
        fits = add(book, &e);
        e.question += status >= 200;
        switched = status == 101;
    }
    close_wire(&w);
    return fits;
}

/* ---- connections ---- */

static bool read_client(struct dialogue *d, const struct stage *s, const struct end *client)
{
    struct slice said = slice_of(client->said.bytes, client->sent);
    bool ended = client->parting == ENDED && s->resets_show;

    if (s->proxied)
        said = wire_skip_proxy_header(said);
    return read_requests(&d->asked, said, s->early) &&
           read_responses(d, slice_of(client->heard.bytes, client->heard.len), ended,
                          client->said.bytes + client->known, NULL);
}

/* What an origin had no time to send was never on the wire. Where a reset does not show, it is an
 * end like any other. */
static bool read_origin(struct dialogue *d, const struct stage *s, const struct end *origin)
{
    struct slice heard = slice_of(origin->heard.bytes, origin->heard.len);
    bool ended = origin->own == ENDED || (origin->own == RESET && !s->resets_show);
    struct book *asked = &d->asked, *answered = &d->answered;
    const struct entry *last;

    d->deaf = origin->paused || origin->heard.len == TEXT_MAX || s->blind;
    if (origin->proxied)
        heard = wire_skip_proxy_header(heard);
    if (!read_requests(asked, heard, false) ||
        !read_responses(d, slice_of(origin->said.bytes, origin->sent), ended,
                        origin->heard.bytes + origin->heard.len, s->blind ? NULL : origin))
        return false;
    last = answered->count > 0 ? &answered->entries[answered->count - 1] : NULL;
    if (last != NULL && wire_status(&last->m) == 101 && last->question < asked->count) {
        asked->count = last->question + 1;
        asked->bad = NULL;
        asked->rest = asked->entries[last->question].after;
    }
    return true;
}

const struct books *books_of(const struct stage *s)
{
    bool fits = !s->crowded;

    room_used = 0;
    books.client_count = s->client_count;
    books.origin_count = s->origin_count;
    for (size_t i = 0; i < s->client_count && fits; i++)
        fits = read_client(&books.clients[i], s, &s->clients[i]);
    for (size_t i = 0; i < s->origin_count && fits; i++)
        fits = read_origin(&books.origins[i], s, &s->origins[i]);
    return fits ? &books : NULL;
}
