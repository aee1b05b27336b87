/*
 * grammar: recursive descent over a whole head. A rule takes from the text what it matches; what no
 * rule matches is a breach, and reading goes on behind the next line feed, so that all breaches are
 * known and none hides another.
 */
#include "grammar.h"

#include <string.h>
#include <strings.h>

#define METHOD_MAX      32
#define EMPTY_LINES_MAX 2

struct text {
    const char *at, *end;
};

struct reading {
    struct text in;
    struct grammar_head *out;
    const struct grammar_limits *limits;
};

/* ---- characters: RFC 5234 appendix B.1, RFC 9110 section 5.5, RFC 3986 section 2 ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_hexdig(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_tchar(char c)
{
    return is_alpha(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* VCHAR and obs-text with SP and HTAB; reason-phrase has the same. */
static bool is_field_content(char c)
{
    unsigned char u = (unsigned char)c;
    return is_blank(c) || (u >= 0x21 && u <= 0x7e) || u >= 0x80;
}

/* Wider than pchar, "/" and "?": any VCHAR but "#". */
static bool is_target_byte(char c)
{
    return c >= 0x21 && c <= 0x7e && c != '#';
}

static bool is_reg_name_byte(char c)
{
    return is_alpha(c) || is_digit(c) || is_one_of(c, "-._~" /* unreserved */ "!$&'()*+,;=");
}

/* ---- taking ---- */

static struct grammar_part take_all(struct text *in, bool (*is)(char c))
{
    struct grammar_part part = {in->at, 0};
    while (in->at < in->end && is(*in->at))
        in->at++;
    part.len = (size_t)(in->at - part.at);
    return part;
}

/* A literal of a grammar: letter case means nothing (RFC 5234 section 2.3). */
static bool take_word(struct text *in, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(in->end - in->at) < len || strncasecmp(in->at, word, len) != 0)
        return false;
    in->at += len;
    return true;
}

static struct text text_of(struct grammar_part part)
{
    return (struct text){part.at, part.at + part.len};
}

static bool is_word(struct grammar_part part, const char *word)
{
    return part.len == strlen(word) && strncasecmp(part.at, word, part.len) == 0;
}

/* Of methods and the name of the protocol letter case counts. */
static bool is_exactly(struct grammar_part part, const char *word)
{
    return part.len == strlen(word) && memcmp(part.at, word, part.len) == 0;
}

static void breach(struct reading *r, unsigned kind, bool is_met)
{
    if (!is_met)
        r->out->breaches |= kind;
}

/* CRLF. */
static void take_line_end(struct reading *r)
{
    struct text *in = &r->in;
    if (take_word(in, "\r\n"))
        return;
    r->out->breaches |= GRAMMAR_SYNTAX;
    const char *lf = in->at < in->end ? memchr(in->at, '\n', (size_t)(in->end - in->at)) : NULL;
    /* Something stands before it: no head begins with a line feed. */
    if (lf != NULL && lf[-1] != '\r')
        r->out->hopeless |= GRAMMAR_SYNTAX;
    in->at = lf == NULL ? in->end : lf + 1;
}

/* ---- RFC 3986 section 3.2 ---- */

/* dec-octet "." dec-octet "." dec-octet "." dec-octet */
static bool take_ipv4(struct text *in)
{
    struct text t = *in;
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        if (i > 0 && !take_word(&t, "."))
            return false;
        struct grammar_part octet = take_all(&t, is_digit);
        for (size_t j = 0; j < octet.len && j < 4; j++)
            value = value * 10 + (unsigned)(octet.at[j] - '0');
        if (octet.len == 0 || octet.len > 3 || value > 255 || (octet.len > 1 && *octet.at == '0'))
            return false;
    }
    *in = t;
    return true;
}

/* Eight groups of h16, the last two perhaps an IPv4address, "::" once for one or more of them. */
static bool is_ipv6(struct text t)
{
    int groups = 0;
    bool elided = false, may_begin = true;
    while (t.at < t.end) {
        if (!elided && take_word(&t, "::")) {
            elided = may_begin = true;
            continue;
        }
        if (!may_begin && !take_word(&t, ":"))
            return false;
        struct text v4 = t;
        may_begin = false;
        if (take_ipv4(&v4) && v4.at == v4.end) {
            groups += 2;
            break;
        }
        size_t digits = take_all(&t, is_hexdig).len;
        if (digits < 1 || digits > 4)
            return false;
        groups++;
    }
    return elided ? groups <= 7 : groups == 8;
}

/* Narrower than host: no IPvFuture, and never empty. */
static bool take_host(struct text *in)
{
    if (take_word(in, "[")) {
        const char *close = memchr(in->at, ']', (size_t)(in->end - in->at));
        if (close == NULL || !is_ipv6((struct text){in->at, close}))
            return false;
        in->at = close + 1;
        return true;
    }
    const char *begin = in->at;
    for (;;) {
        take_all(in, is_reg_name_byte);
        if (!take_word(in, "%"))
            return in->at > begin;
        for (int i = 0; i < 2; i++, in->at++)
            if (in->at == in->end || !is_hexdig(*in->at))
                return false;
    }
}

/* uri-host [ ":" port ]; narrower: a port is one of TCP. */
static bool is_authority(struct grammar_part part)
{
    struct text t = text_of(part);
    if (part.len == 0 || !take_host(&t))
        return false;
    if (!take_word(&t, ":"))
        return t.at == t.end;
    while (take_word(&t, "0"))
        ;
    unsigned port = 0;
    struct grammar_part digits = take_all(&t, is_digit);
    for (size_t i = 0; i < digits.len && i < 6; i++)
        port = port * 10 + (unsigned)(digits.at[i] - '0');
    return t.at == t.end && port <= 65535;
}

/* ---- RFC 9112 section 3 ---- */

static bool is_authority_byte(char c)
{
    return is_target_byte(c) && c != '/' && c != '?';
}

static bool is_path_byte(char c)
{
    return is_target_byte(c) && c != '?';
}

/* [ "?" query ] */
static void take_query(struct text *t, struct grammar_part *query)
{
    if (take_word(t, "?"))
        *query = take_all(t, is_target_byte);
}

/* origin-form / absolute-form / asterisk-form; narrower: http and https alone, no userinfo. */
static bool is_request_target(struct grammar_part target, struct grammar_head *out)
{
    struct text t = text_of(target);
    if (is_word(target, "*")) {
        out->path = target;
        return is_exactly(out->method, "OPTIONS");
    }
    bool absolute = take_word(&t, "http://") || take_word(&t, "https://");
    if (absolute)
        out->authority = take_all(&t, is_authority_byte);
    struct grammar_part path = take_all(&t, is_path_byte);
    if (path.len > 0)
        out->path = path;
    take_query(&t, &out->query);
    return absolute ? is_authority(out->authority) : path.len > 0 && *path.at == '/';
}

/* HTTP-name "/" DIGIT "." DIGIT, HTTP-name in capitals. */
static void read_version(struct reading *r)
{
    struct grammar_part name = take_all(&r->in, is_alpha);
    bool good = is_exactly(name, "HTTP") && take_word(&r->in, "/");
    struct grammar_part major = take_all(&r->in, is_digit);
    good = good && take_word(&r->in, ".");
    struct grammar_part minor = take_all(&r->in, is_digit);
    good = good && major.len == 1 && minor.len == 1;
    breach(r, GRAMMAR_SYNTAX, good);
    if (good) {
        breach(r, GRAMMAR_VERSION, *major.at == '1');
        r->out->minor = (unsigned)(*minor.at - '0');
    }
}

/* method SP request-target SP HTTP-version CRLF */
static void read_request_line(struct reading *r)
{
    struct grammar_part method = take_all(&r->in, is_tchar);
    r->out->method = method;
    breach(r, GRAMMAR_SYNTAX, method.len > 0 && take_word(&r->in, " "));
    breach(r, GRAMMAR_METHOD, method.len <= METHOD_MAX);
    breach(r, GRAMMAR_METHOD, !is_exactly(method, "CONNECT"));
    struct grammar_part target = take_all(&r->in, is_target_byte);
    breach(r, GRAMMAR_SYNTAX, target.len > 0 && is_request_target(target, r->out));
    breach(r, GRAMMAR_SYNTAX, take_word(&r->in, " "));
    read_version(r);
    take_line_end(r);
}

/* HTTP-version SP status-code SP [ reason-phrase ] CRLF; wider: without a reason, without its SP;
 * narrower: a status of one of the five classes. */
static void read_status_line(struct reading *r)
{
    read_version(r);
    breach(r, GRAMMAR_SYNTAX, take_word(&r->in, " "));
    struct grammar_part code = take_all(&r->in, is_digit);
    breach(r, GRAMMAR_SYNTAX, code.len == 3 && *code.at >= '1' && *code.at <= '5');
    for (size_t i = 0; i < code.len && i < 3; i++)
        r->out->status = r->out->status * 10 + (unsigned)(code.at[i] - '0');
    if (take_word(&r->in, " "))
        r->out->reason = take_all(&r->in, is_field_content);
    take_line_end(r);
}

/* ---- RFC 9112 section 5 ---- */

static struct grammar_part trim(struct grammar_part part)
{
    while (part.len > 0 && is_blank(part.at[part.len - 1]))
        part.len--;
    while (part.len > 0 && is_blank(*part.at))
        part.at++, part.len--;
    return part;
}

/* field-name ":" OWS field-value OWS CRLF */
static void read_field_line(struct reading *r)
{
    struct grammar_head *out = r->out;
    struct grammar_field field = {.name = take_all(&r->in, is_tchar)};
    breach(r, GRAMMAR_SYNTAX, field.name.len > 0 && take_word(&r->in, ":"));
    field.value = trim(take_all(&r->in, is_field_content));
    breach(r, GRAMMAR_LARGE, out->count < r->limits->fields);
    if (out->count < r->limits->fields)
        out->fields[out->count++] = field;
    take_line_end(r);
}

/* *( field-line CRLF ) CRLF */
static void read_fields(struct reading *r)
{
    while (r->in.at < r->in.end && !r->out->whole) {
        if (take_word(&r->in, "\r\n"))
            r->out->whole = true;
        else
            read_field_line(r);
    }
}

/* ---- what fields say ---- */

static size_t count_named(const struct grammar_head *h, const char *name, struct grammar_part *last)
{
    size_t count = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (!is_word(h->fields[i].name, name))
            continue;
        *last = h->fields[i].value;
        count++;
    }
    return count;
}

/* RFC 9112 section 3.2; narrower: an empty one only in HTTP/1.0. */
static bool has_good_host(struct grammar_head *h)
{
    struct grammar_part host = {0};
    size_t count = count_named(h, "Host", &host);
    if (count != 1)
        return count == 0 && h->minor == 0;
    if (h->authority.at == NULL)
        h->authority = host;
    return is_authority(host) || (h->minor == 0 && host.len == 0);
}

/* RFC 9110 section 7.6.1: never a field that is for all recipients. */
static bool is_nominable(struct grammar_part name)
{
    static const char *const all[] = {
        "Authorization", "Content-Length",      "Cookie", "Date",
        "Expect",        "Forwarded",           "Host",   "Max-Forwards",
        "Set-Cookie",    "Proxy-Authorization", "Via",    "Transfer-Encoding",
        "X-Request-Id",
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (is_word(name, all[i]))
            return false;
    struct text t = text_of(name);
    return !take_word(&t, "X-Forwarded-");
}

static bool is_no_comma(char c)
{
    return c != ',';
}

static bool has_good_nominations(const struct grammar_head *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct text list = text_of(h->fields[i].value);
        if (!is_word(h->fields[i].name, "Connection"))
            continue;
        do {
            if (!is_nominable(trim(take_all(&list, is_no_comma))))
                return false;
        } while (take_word(&list, ","));
    }
    return true;
}

/* RFC 9110 section 10.1.1 */
static bool has_good_expectation(const struct grammar_head *h)
{
    struct grammar_part value = {0};
    size_t count = count_named(h, "Expect", &value);
    return count == 0 || h->minor == 0 || (count == 1 && is_word(value, "100-continue"));
}

/* ---- heads ---- */

/* RFC 9112 section 2.2. False: no message begins so. */
static bool take_empty_lines(struct reading *r)
{
    int left = EMPTY_LINES_MAX;
    while (left > 0 && take_word(&r->in, "\r\n"))
        left--;
    size_t len = (size_t)(r->in.end - r->in.at);
    if (len > 0 && *r->in.at == '\r')
        return left > 0 && len == 1;
    return len == 0 || is_tchar(*r->in.at);
}

static void check_sizes(const struct reading *r, const char *begin, const char *start, size_t len)
{
    const struct grammar_limits *limits = r->limits;
    struct grammar_head *out = r->out;
    const char *end = begin + len;
    const char *lf = start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;
    if ((size_t)((lf == NULL ? end : lf) - start) >= limits->start_line + 2)
        out->hopeless |= GRAMMAR_LONG;
    if (out->whole ? out->end > limits->head : len >= limits->head)
        out->hopeless |= GRAMMAR_LARGE;
}

static void read_head(struct reading *r, const char *bytes, size_t len, bool is_request)
{
    r->in = (struct text){bytes, bytes + len};
    *r->out = (struct grammar_head){0};
    bool begun = is_request ? take_empty_lines(r) : len == 0 || *bytes == 'H';
    if (!begun) {
        r->out->hopeless = GRAMMAR_SYNTAX;
        return;
    }
    const char *start = r->in.at;
    if (is_request)
        read_request_line(r);
    else
        read_status_line(r);
    read_fields(r);
    r->out->end = (size_t)(r->in.at - bytes);
    check_sizes(r, bytes, start, len);
    r->out->breaches |= r->out->hopeless;
}

void grammar_read_request(struct grammar_head *out, const char *bytes, size_t len,
                          const struct grammar_limits *limits)
{
    struct reading r = {.out = out, .limits = limits};
    read_head(&r, bytes, len, true);
    breach(&r, GRAMMAR_SYNTAX, has_good_host(out) && has_good_nominations(out));
    breach(&r, GRAMMAR_EXPECTATION, has_good_expectation(out));
}

void grammar_read_response(struct grammar_head *out, const char *bytes, size_t len,
                           const struct grammar_limits *limits)
{
    struct reading r = {.out = out, .limits = limits};
    read_head(&r, bytes, len, false);
}
