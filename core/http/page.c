/*
 * page: owns the words in which the proxy speaks for itself.
 *
 * Promises a complete answer in a form the client asked for, in which nothing but the request's id
 * and a detail, both made harmless, comes from outside.
 *
 * Next on an answer's way: http/rewrite.
 */
#include "http/page.h"

#include "http/response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *text;
} sentences[] = {
    {200, "The request was understood and nothing had to be done."},
    {400, "The request is not valid HTTP, so it was not passed on."},
    {401, "This needs a login, and the request had none that counts."},
    {403, "This request is not allowed."},
    {404, "There is nothing at this address."},
    {405, "This method is not allowed here."},
    {408, "The request did not arrive in time."},
    {413, "The request is larger than this server accepts."},
    {414, "The address in the request is longer than this server accepts."},
    {417, "The request expects something that this server cannot do."},
    {421, "The request is for a host that is not served here."},
    {426, "This needs another protocol than the one the request came in."},
    {429, "There were too many requests in a short time. Please try again later."},
    {431, "The header of the request is larger than this server accepts."},
    {500, "Something went wrong inside the proxy."},
    {501, "The request asks for something that this server does not do."},
    {502, "The origin could not be reached, or its answer could not be understood."},
    {503, "The service is not available now. Please try again later."},
    {504, "No answer came from the origin in time."},
    {505, "The request is in a version of HTTP that this server does not speak."},
    {520, "The answer of the origin could not be understood."},
    {521, "The origin refused the connection."},
    {522, "The origin did not respond in time."},
    {523, "The origin could not be reached."},
    {524, "No answer came from the origin in time."},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const char *page_sentence(int status)
{
    for (size_t i = 0; i < COUNT(sentences); i++)
        if (sentences[i].status == status)
            return sentences[i].text;
    if (status >= 500)
        return "The request could not be served.";
    return status >= 400 ? "The request was refused." : "The request was answered by the proxy.";
}

struct form {
    struct slice type; /* "text/html" */
    struct slice all;  /* the range that covers its kind: "text/ *" without the blank */
    struct slice content_type;
};

static const struct form forms[] = {
    [PAGE_HTML] = {SLICE_INIT("text/html"), SLICE_INIT("text/*"),
                   SLICE_INIT("text/html; charset=utf-8")},
    [PAGE_JSON] = {SLICE_INIT("application/json"), SLICE_INIT("application/*"),
                   SLICE_INIT("application/json")},
    [PAGE_TEXT] = {SLICE_INIT("text/plain"), SLICE_INIT("text/*"),
                   SLICE_INIT("text/plain; charset=utf-8")},
};

/* How much a form is wanted. The more exact range decides, whatever its weight. */
struct wish {
    unsigned exactness; /* 0: not mentioned, 1: * / *, 2: text / *, 3: by name */
    unsigned weight;    /* in thousandths */
};

/* qvalue of RFC 9110 section 12.4.2 in thousandths; what makes no sense counts as not given. */
static unsigned weight_of(struct slice q)
{
    unsigned weight = 0;
    unsigned unit = 100;
    if (q.len == 0 || q.len > 5 || (q.at[0] != '0' && q.at[0] != '1'))
        return 1000;
    if (q.len > 1 && q.at[1] != '.')
        return 1000;
    for (size_t i = 2; i < q.len; i++, unit /= 10) {
        if (q.at[i] < '0' || q.at[i] > '9')
            return 1000;
        weight += (unsigned)(q.at[i] - '0') * unit;
    }
    return q.at[0] == '1' ? 1000 : weight;
}

/* Splits "text/html;level=1;q=0.5" into the range and its weight. */
static struct slice read_range(struct slice member, unsigned *weight)
{
    size_t end = slice_find(member, ';');
    struct slice range = slice_trim(slice_of(member.at, end));
    struct slice rest = slice_skip(member, end + 1);
    *weight = 1000;
    while (rest.len > 0) {
        size_t next = slice_find(rest, ';');
        struct slice parameter = slice_trim(slice_of(rest.at, next));
        if (slice_starts(parameter, SLICE("q=")) || slice_starts(parameter, SLICE("Q=")))
            *weight = weight_of(slice_skip(parameter, 2));
        rest = slice_skip(rest, next + 1);
    }
    return range;
}

static void note_range(struct wish wishes[COUNT(forms)], struct slice range, unsigned weight)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        unsigned exactness = 0;
        if (slice_equals_nocase(range, forms[i].type))
            exactness = 3;
        else if (slice_equals_nocase(range, forms[i].all))
            exactness = 2;
        else if (slice_equals(range, SLICE("*/*")))
            exactness = 1;
        if (exactness > wishes[i].exactness)
            wishes[i] = (struct wish){exactness, weight};
    }
}

enum page_form page_choose(const struct head *request)
{
    struct wish wishes[COUNT(forms)] = {{0, 0}};
    for (size_t i = 0; i < request->count; i++) {
        struct slice list = request->fields[i].value;
        struct slice member;
        while (request->fields[i].id == FIELD_ACCEPT && slice_next_member(&list, &member)) {
            unsigned weight;
            struct slice range = read_range(member, &weight);
            note_range(wishes, range, weight);
        }
    }
    enum page_form best = PAGE_TEXT;
    unsigned best_rank = 0;
    for (size_t i = 0; i < COUNT(forms); i++) {
        /* By weight; then what was named before what a wildcard covers, of which text wins. */
        unsigned rank = wishes[i].weight * 4;
        if (rank > 0)
            rank += wishes[i].exactness == 3 ? 2 : i == PAGE_TEXT ? 1 : 0;
        if (rank > best_rank) {
            best = (enum page_form)i;
            best_rank = rank;
        }
    }
    return best;
}

#define HTML_HEAD                                                                                  \
    "<!doctype html>\n"                                                                            \
    "<html lang=\"en\">\n"                                                                         \
    "<meta charset=\"utf-8\">\n"                                                                   \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                   \
    "<title>%s</title>\n"                                                                          \
    "<style>\n"                                                                                    \
    ":root { color-scheme: light dark }\n"                                                         \
    "body { font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 36rem;\n"                        \
    "       margin: 18vh auto 0; padding: 0 1.5rem }\n"                                            \
    "h1 { font-size: 1.5rem; line-height: 1.25 }\n"                                                \
    "footer { margin-top: 2.5rem; font-size: .875rem; opacity: .75 }\n"                            \
    "</style>\n"

/* What a page says; everything is escaped already. Each part but the title may be absent. */
struct words {
    const char *title; /* "504 Gateway Timeout" */
    struct slice detail;
    struct slice id;
};

/* `s` between two literals, or nothing at all if it is empty. */
static bool wrap(struct arena *arena, const char *before, struct slice *s, const char *after)
{
    if (slice_is_empty(*s))
        return true;
    *s = arena_printf(arena, "%s%.*s%s", before, SLICE_ARG(*s), after);
    return s->at != NULL;
}

static struct slice make_html(struct arena *arena, int status, struct words *w)
{
    if (!wrap(arena, "<p>", &w->detail, "</p>\n") ||
        !wrap(arena, "<footer>Request <code>", &w->id, "</code></footer>\n"))
        return slice_of(NULL, 0);
    return arena_printf(arena, HTML_HEAD "<h1>%s</h1>\n<p>%s</p>\n%.*s%.*s</html>\n", w->title,
                        w->title, page_sentence(status), SLICE_ARG(w->detail), SLICE_ARG(w->id));
}

static struct slice make_json(struct arena *arena, int status, struct words *w)
{
    if (!wrap(arena, ",\"detail\":\"", &w->detail, "\"") ||
        !wrap(arena, ",\"id\":\"", &w->id, "\""))
        return slice_of(NULL, 0);
    return arena_printf(arena, "{\"status\":%d,\"error\":\"%s\",\"message\":\"%s\"%.*s%.*s}\n",
                        status, response_reason(status), page_sentence(status),
                        SLICE_ARG(w->detail), SLICE_ARG(w->id));
}

static struct slice make_text(struct arena *arena, int status, struct words *w)
{
    if (!wrap(arena, " ", &w->detail, "") || !wrap(arena, "Request ", &w->id, "\n"))
        return slice_of(NULL, 0);
    return arena_printf(arena, "%s: %s%.*s\n%.*s", w->title, page_sentence(status),
                        SLICE_ARG(w->detail), SLICE_ARG(w->id));
}

static const char *escape_of(enum page_form form, unsigned char c)
{
    if (c < ' ' || c > '~')
        return "?";
    if (form == PAGE_HTML)
        return c == '&'   ? "&amp;"
               : c == '<' ? "&lt;"
               : c == '>' ? "&gt;"
               : c == '"' ? "&quot;"
                          : NULL;
    if (form == PAGE_JSON)
        return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
    return NULL;
}

#define ESCAPE_MAX 6 /* "&quot;" */
#define DETAIL_MAX 1024

/* A detail is for people and in ASCII; what else is in it may not speak to their terminal. */
static bool escape(struct arena *arena, enum page_form form, struct slice *detail)
{
    size_t len = detail->len < DETAIL_MAX ? detail->len : DETAIL_MAX;
    if (len == 0)
        return true;
    char *out = arena_alloc(arena, len * ESCAPE_MAX);
    size_t used = 0;
    if (out == NULL)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char *as = escape_of(form, (unsigned char)detail->at[i]);
        if (as == NULL) {
            out[used++] = detail->at[i];
            continue;
        }
        size_t n = strlen(as);
        memcpy(out + used, as, n);
        used += n;
    }
    *detail = slice_of(out, used);
    return true;
}

static bool add_fields(struct head *head, enum page_form form)
{
    if (!head_add(head, SLICE("Content-Type"), forms[form].content_type) ||
        !head_add(head, SLICE("Cache-Control"), SLICE("no-store")))
        return false;
    return head->status != 405 ||
           head_add(head, SLICE("Allow"), SLICE("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
}

bool page_make(struct head *head, struct slice *body, struct arena *arena, enum page_form form,
               int status, struct slice detail, struct slice id)
{
    static struct slice (*const makers[])(struct arena *, int, struct words *) = {
        [PAGE_HTML] = make_html,
        [PAGE_JSON] = make_json,
        [PAGE_TEXT] = make_text,
    };
    const char *reason = response_reason(status);
    char title[64];
    struct words words = {.title = title, .detail = detail, .id = id};
    assert(status >= 200 && status <= 599 && form < COUNT(forms));
    *head = (struct head){
        .status = status,
        .reason = slice_of_string(reason),
        .minor = 1,
        .arena = arena,
    };
    snprintf(title, sizeof title, "%d%s%s", status, reason[0] != '\0' ? " " : "", reason);
    if (!add_fields(head, form) || !escape(arena, form, &words.detail))
        return false;
    *body = makers[form](arena, status, &words);
    return body->at != NULL;
}
