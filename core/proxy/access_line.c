/*
 * access_line: writes the lines of the access log. Every exchange pays for its line, so nothing
 * here goes through printf.
 *
 * Promises that a line has one end and that nothing which came from outside can forge a field. The
 * line goes on to proxy/access.
 */
#include "proxy/access_line.h"

#include "base/digits.h"
#include "http/trace.h"

#include <string.h>

#define ESCAPED_MAX 6    /* bytes that one byte becomes at most */
#define LINE_REST   4096 /* the names and numbers of a line, its addresses and names, escaped */

/* How bytes from outside are written. */
enum style {
    STYLE_QUOTED = 1, /* text, in quotes */
    STYLE_JSON = 2,   /* likewise */
    STYLE_WORD = 4    /* text, without quotes: a blank would end it, a quote begin one */
};

#define EVERY (STYLE_QUOTED | STYLE_JSON | STYLE_WORD)

/* In which styles a byte is escaped. */
static const unsigned char escaped_in[256] = {
    [0 ... 0x1f] = EVERY, [' '] = STYLE_WORD,      ['"'] = EVERY,
    ['\\'] = EVERY,       [0x7f ... 0xff] = EVERY,
};

static char *put(char *to, struct slice s)
{
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static char *put_escaped(char *to, unsigned char b, enum style style)
{
    static const char hex[] = "0123456789abcdef";

    *to++ = '\\';
    if (b == '\\' || (b == '"' && style != STYLE_WORD)) {
        *to++ = (char)b;
        return to;
    }
    to = style == STYLE_JSON ? put(to, SLICE("u00")) : put(to, SLICE("x"));
    *to++ = hex[b >> 4];
    *to++ = hex[b & 15];
    return to;
}

static char *put_foreign(char *to, struct slice s, enum style style)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char b = (unsigned char)s.at[i];
        if ((escaped_in[b] & style) == 0)
            *to++ = (char)b;
        else
            to = put_escaped(to, b, style);
    }
    return to;
}

static char *put_number(char *to, struct slice name, uint64_t n)
{
    return digits_put(put(to, name), n);
}

static char *put_decimals(char *to, struct slice name, double n, unsigned decimals)
{
    return digits_put_fixed(put(to, name), n, decimals);
}

static char *put_codes(char *to, const struct policy_result *r)
{
    for (size_t i = 0; i < r->interim_count && i < POLICY_INTERIM_CODES; i++)
        to = put_number(to, i > 0 ? SLICE(",") : SLICE(""), (uint64_t)r->interims[i]);
    return to;
}

/* What the proxy itself has made and knows to be plain. */
static char *put_own(char *to, struct slice name, const char *text)
{
    return put(put(to, name), slice_of_string(text));
}

/* ---- text ---- */

static char *put_word(char *to, struct slice name, const char *text)
{
    to = put(to, name);
    if (text[0] == '\0')
        return put(to, SLICE("-"));
    return put_foreign(to, slice_of_string(text), STYLE_WORD);
}

static char *put_quoted(char *to, struct slice name, struct slice text)
{
    to = put_foreign(put(to, name), text, STYLE_QUOTED);
    return put(to, SLICE("\""));
}

static char *put_request_line(char *to, const struct head *h)
{
    to = put(to, SLICE(" \""));
    to = put_foreign(to, h->method, STYLE_QUOTED);
    to = put(to, SLICE(" "));
    to = put_foreign(to, h->target, STYLE_QUOTED);
    to = put_number(to, SLICE(" HTTP/1."), h->minor);
    return put(to, SLICE("\""));
}

static char *put_interims(char *to, const struct policy_result *r)
{
    to = put(to, SLICE(" interims="));
    if (r->interim_count == 0)
        return put(to, SLICE("-"));
    to = put_codes(to, r);
    if (r->interim_count <= POLICY_INTERIM_CODES)
        return to;
    to = put_number(to, SLICE(",...("), r->interim_count);
    return put(to, SLICE(")"));
}

static char *put_text(char *to, const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    struct slice trace = trace_id(&v->request->head);
    char client[ADDR_TEXT_MAX];

    to = put_own(to, SLICE(" "), v->request_id);
    to = put_word(to, SLICE(" "), addr_text(v->client, client));
    to = put_request_line(to, &v->request->head);
    to = put_number(to, SLICE(" "), (uint64_t)r->status);
    to = put_own(to, SLICE(" "), r->outcome);
    to = put_decimals(to, SLICE(" ms="), r->elapsed * 1000, 1);
    to = put_number(to, SLICE(" in="), r->bytes_in);
    to = put_number(to, SLICE(" out="), r->bytes_out);
    to = put_word(to, SLICE(" upstream="), r->upstream);
    to = put_word(to, SLICE(" address="), r->address);
    to = put(to, r->reused ? SLICE(" reused=yes") : SLICE(" reused=no"));
    to = put_interims(to, r);
    to = put_word(to, SLICE(" expect="), r->expect);
    to = put_word(to, SLICE(" upgrade="), r->upgrade);
    if (r->tunnel_in + r->tunnel_out > 0) {
        to = put_number(to, SLICE(" tunnel_in="), r->tunnel_in);
        to = put_number(to, SLICE(" tunnel_out="), r->tunnel_out);
    }
    to = put_decimals(to, SLICE(" connect_ms="), r->connect * 1000, 1);
    to = put_decimals(to, SLICE(" first_byte_ms="), r->first_byte * 1000, 1);
    if (trace.len > 0)
        to = put(put(to, SLICE(" trace=")), trace);
    if (r->error[0] != '\0')
        to = put_quoted(to, SLICE(" error=\""), slice_of_string(r->error));
    return put(to, SLICE("\n"));
}

/* ---- JSON ---- */

/* A name comes with its comma and the quotes: `,"id":"`. */
static char *put_member(char *to, struct slice name, struct slice value)
{
    to = put_foreign(put(to, name), value, STYLE_JSON);
    return put(to, SLICE("\""));
}

static char *put_string(char *to, struct slice name, const char *value)
{
    return put_member(to, name, slice_of_string(value));
}

static char *put_json(char *to, const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    const struct head *h = &v->request->head;
    char client[ADDR_TEXT_MAX];

    to = put_own(to, SLICE("\",\"id\":\""), v->request_id);
    to = put_string(to, SLICE("\",\"client\":\""), addr_text(v->client, client));
    to = put_member(to, SLICE(",\"method\":\""), h->method);
    to = put_member(to, SLICE(",\"target\":\""), h->target);
    to = put_member(to, SLICE(",\"host\":\""), v->request->host);
    to = put_number(to, SLICE(",\"version\":\"1."), h->minor);
    to = put_number(to, SLICE("\",\"status\":"), (uint64_t)r->status);
    to = put_own(to, SLICE(",\"outcome\":\""), r->outcome);
    to = put_decimals(to, SLICE("\",\"elapsed\":"), r->elapsed, 6);
    to = put_decimals(to, SLICE(",\"connect\":"), r->connect, 6);
    to = put_decimals(to, SLICE(",\"first_byte\":"), r->first_byte, 6);
    to = put_number(to, SLICE(",\"bytes_in\":"), r->bytes_in);
    to = put_number(to, SLICE(",\"bytes_out\":"), r->bytes_out);
    to = put_string(to, SLICE(",\"upstream\":\""), r->upstream);
    to = put_string(to, SLICE(",\"address\":\""), r->address);
    to = put(to, r->reused ? SLICE(",\"reused\":true") : SLICE(",\"reused\":false"));
    to = put_codes(put(to, SLICE(",\"interims\":[")), r);
    to = put_number(to, SLICE("],\"interim_count\":"), r->interim_count);
    to = put_string(to, SLICE(",\"expect\":\""), r->expect);
    to = put_string(to, SLICE(",\"upgrade\":\""), r->upgrade);
    to = put_number(to, SLICE(",\"tunnel_in\":"), r->tunnel_in);
    to = put_number(to, SLICE(",\"tunnel_out\":"), r->tunnel_out);
    to = put_member(to, SLICE(",\"trace\":\""), trace_id(h));
    to = put_string(to, SLICE(",\"error\":\""), r->error);
    return put(to, SLICE("}\n"));
}

size_t access_line_most(const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    size_t foreign = v->request->head.method.len + v->request->head.target.len +
                     v->request->host.len + strlen(r->upgrade) + strlen(r->error);

    return foreign * ESCAPED_MAX + LINE_REST;
}

size_t access_line_put(char *to, enum log_form form, struct slice time,
                       const struct policy_view *view)
{
    char *end;

    if (form == LOG_FORM_JSON)
        end = put_json(put(put(to, SLICE("{\"time\":\"")), time), view);
    else
        end = put_text(put(to, time), view);
    return (size_t)(end - to);
}
