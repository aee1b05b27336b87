/* What the strict reader lets through and what it refuses: one line a fact. */
#include "../fact.h"

#include "http/lint.h"

#define S(literal) SLICE_INIT(literal)
#define END        "\r\n\r\n"
#define HOST       "\r\nHost: a" END

static const struct lint_limits limits = {.start_line = 100, .head = 300, .fields = 5};

struct fact {
    const char *name;
    struct slice head;
    int status; /* 0: good */
};

static const struct fact request_rows[] = {
    /* Line ends and white space between lines. */
    {"a plain request is good", S("GET / HTTP/1.1" HOST), 0},
    {"a request without fields is good, as far as lint goes", S("GET / HTTP/1.1" END), 0},
    {"one empty line before a request is skipped", S("\r\nGET / HTTP/1.1" HOST), 0},
    {"two empty lines before a request are skipped", S("\r\n\r\nGET / HTTP/1.1" HOST), 0},
    {"three empty lines before a request are too many", S("\r\n\r\n\r\nGET / HTTP/1.1" HOST), 400},
    {"an empty line of a bare LF is not skipped", S("\nGET / HTTP/1.1" HOST), 400},
    {"empty lines alone are no request", S("\r\n\r\n"), 400},
    {"a bare LF ends no request line", S("GET / HTTP/1.1\nHost: a" END), 400},
    {"a bare LF ends no field line", S("GET / HTTP/1.1\r\nHost: a\nA: b" END), 400},
    {"a bare LF ends no head", S("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
    {"a bare CR ends no request line", S("GET / HTTP/1.1\rHost: a" END), 400},
    {"a bare CR ends no field line", S("GET / HTTP/1.1\r\nHost: a\rA: b" END), 400},
    {"CR CR LF is not an end of line", S("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), 400},
    {"CR X is not an empty line", S("GET / HTTP/1.1\r\nHost: a\r\n\rX" END), 400},
    {"white space before the first field", S("GET / HTTP/1.1\r\n Host: a" END), 400},
    {"a tab before the first field", S("GET / HTTP/1.1\r\n\tHost: a" END), 400},
    {"a line of white space alone", S("GET / HTTP/1.1\r\n \r\nHost: a" END), 400},
    {"a folded value", S("GET / HTTP/1.1\r\nA: b\r\n c" END), 400},
    {"a value folded with a tab", S("GET / HTTP/1.1\r\nA: b\r\n\tc" END), 400},
    {"a head that is not complete", S("GET / HTTP/1.1\r\nHost: a\r\n"), 400},
    {"a head of nothing", S(""), 400},
    {"bytes behind the empty line", S("GET / HTTP/1.1" HOST "x"), 400},

    /* Method. */
    {"an unknown method is good", S("FROBNICATE / HTTP/1.1" HOST), 0},
    {"QUERY is good", S("QUERY /q HTTP/1.1" HOST), 0},
    {"every token byte may stand in a method", S("!#$%&'*+-.^_`|~aZ09 / HTTP/1.1" HOST), 0},
    {"a lower-case method is another method", S("get / HTTP/1.1" HOST), 0},
    {"a method of 32 bytes is good", S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1" HOST), 0},
    {"a method of 33 bytes", S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1" HOST), 501},
    {"CONNECT", S("CONNECT a:443 HTTP/1.1" HOST), 501},
    {"no method", S(" / HTTP/1.1" HOST), 400},
    {"a colon in a method", S("GE:T / HTTP/1.1" HOST), 400},
    {"a NUL in a method", S("GE\0T / HTTP/1.1" HOST), 400},
    {"a high byte in a method", S("GE\xc3\x96T / HTTP/1.1" HOST), 400},
    {"a tab behind the method", S("GET\t/ HTTP/1.1" HOST), 400},
    {"a method alone", S("GET" HOST), 400},

    /* Target. */
    {"a query is good", S("GET /a?b=c&d?/e HTTP/1.1" HOST), 0},
    {"any visible byte but # is good in a target", S("GET /\"<>[\\]^`{|}~%zz HTTP/1.1" HOST), 0},
    {"an absolute http target is good", S("GET http://a.b:80/c?d HTTP/1.1" HOST), 0},
    {"an absolute https target is good", S("GET https://a/ HTTP/1.1" HOST), 0},
    {"* is good for OPTIONS", S("OPTIONS * HTTP/1.1" HOST), 0},
    {"* is not good for GET", S("GET * HTTP/1.1" HOST), 400},
    {"two blanks before the target", S("GET  / HTTP/1.1" HOST), 400},
    {"two blanks behind the target", S("GET /  HTTP/1.1" HOST), 400},
    {"a blank inside the target", S("GET /a b HTTP/1.1" HOST), 400},
    {"a fragment", S("GET /a#b HTTP/1.1" HOST), 400},
    {"a control byte in the target", S("GET /\x01 HTTP/1.1" HOST), 400},
    {"a tab in the target", S("GET /a\tb HTTP/1.1" HOST), 400},
    {"a DEL in the target", S("GET /\x7f HTTP/1.1" HOST), 400},
    {"a high byte in the target", S("GET /\xff HTTP/1.1" HOST), 400},
    {"a NUL in the target", S("GET /\0 HTTP/1.1" HOST), 400},
    {"a target without a slash", S("GET a HTTP/1.1" HOST), 400},
    {"an authority as target", S("GET a:80 HTTP/1.1" HOST), 400},
    {"an absolute target of another scheme", S("GET ftp://a/ HTTP/1.1" HOST), 400},
    {"userinfo in the target", S("GET http://u@a/ HTTP/1.1" HOST), 400},

    /* Version. */
    {"HTTP/1.0 is good", S("GET / HTTP/1.0" HOST), 0},
    {"a higher minor version is good", S("GET / HTTP/1.9" HOST), 0},
    {"HTTP/2.0", S("GET / HTTP/2.0" HOST), 505},
    {"HTTP/0.9 with a version", S("GET / HTTP/0.9" HOST), 505},
    {"the preface of HTTP/2", S("PRI * HTTP/2.0" END), 505},
    {"no version, as in HTTP/0.9", S("GET /" END), 400},
    {"no version but a blank", S("GET / " END), 400},
    {"a version in lower case", S("GET / http/1.1" HOST), 400},
    {"a version of two digits", S("GET / HTTP/1.10" HOST), 400},
    {"a version of one number", S("GET / HTTP/1" HOST), 400},
    {"a version with a comma", S("GET / HTTP/1,1" HOST), 400},
    {"a minor version that is no digit", S("GET / HTTP/1.x" HOST), 400},
    {"a minor version that is the byte before 0", S("GET / HTTP/1./" HOST), 400},
    {"a major version that is no digit", S("GET / HTTP/x.1" HOST), 400},
    {"a version with a leading zero", S("GET / HTTP/01.1" HOST), 400},
    {"another protocol", S("GET / HTCP/1.1" HOST), 400},
    {"a blank behind the version", S("GET / HTTP/1.1 " HOST), 400},

    /* Fields. */
    {"an empty value is good", S("GET / HTTP/1.1\r\nA:" END), 0},
    {"a value of blanks is good and empty", S("GET / HTTP/1.1\r\nA: \t " END), 0},
    {"blanks around a value are good", S("GET / HTTP/1.1\r\nA: \t b \t" END), 0},
    {"obs-text in a value is good", S("GET / HTTP/1.1\r\nA: \x80\xff" END), 0},
    {"a tab inside a value is good", S("GET / HTTP/1.1\r\nA: b\tc" END), 0},
    {"colons in a value are good", S("GET / HTTP/1.1\r\nA: :b:" END), 0},
    {"every token byte may stand in a name", S("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~aZ09: b" END), 0},
    {"a blank before the colon", S("GET / HTTP/1.1\r\nContent-Length : 3" END), 400},
    {"a tab before the colon", S("GET / HTTP/1.1\r\nTransfer-Encoding\t: chunked" END), 400},
    {"a blank inside a name", S("GET / HTTP/1.1\r\nA B: c" END), 400},
    {"an empty name", S("GET / HTTP/1.1\r\n: b" END), 400},
    {"no colon", S("GET / HTTP/1.1\r\nHost" END), 400},
    {"a name with a high byte", S("GET / HTTP/1.1\r\n\xc3\xa4: b" END), 400},
    {"a name with a NUL", S("GET / HTTP/1.1\r\nA\0: b" END), 400},
    {"a name with a parenthesis", S("GET / HTTP/1.1\r\nA(: b" END), 400},
    {"a name that starts with a quote", S("GET / HTTP/1.1\r\n\"A: b" END), 400},
    {"a NUL in a value", S("GET / HTTP/1.1\r\nA: b\0" END), 400},
    {"a control byte in a value", S("GET / HTTP/1.1\r\nA: \x1f" END), 400},
    {"a DEL in a value", S("GET / HTTP/1.1\r\nA: \x7f" END), 400},
    {"a vertical tab is no blank", S("GET / HTTP/1.1\r\nA:\x0b" END), 400},
    {"as many fields as the limit", S("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:" END), 0},
    {"one field more", S("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:" END), 431},
};

static void check_request(void **state)
{
    const struct fact *row = *state;
    struct lint_field fields[10];
    struct lint_head head = {.fields = fields, .room = 10};
    struct fault f = lint_request(row->head, &limits, &head);
    if (f.status != row->status)
        fail_msg("status %d (%s), wanted %d", f.status, f.why ? f.why : "", row->status);
    assert_int_equal(f.why == NULL, row->status == 0);
}

static const struct fact response_rows[] = {
    {"a plain response is good", S("HTTP/1.1 200 OK\r\nA: b" END), 0},
    {"a response of HTTP/1.0 is good", S("HTTP/1.0 200 OK" END), 0},
    {"a response of a higher minor version is good", S("HTTP/1.2 200 OK" END), 0},
    {"an empty reason is good", S("HTTP/1.1 200 " END), 0},
    {"no reason and no blank is good", S("HTTP/1.1 200" END), 0},
    {"a reason of several words is good", S("HTTP/1.1 404 Not \xc3\xa4 Found\t" END), 0},
    {"status 100 is good", S("HTTP/1.1 100 Continue" END), 0},
    {"status 599 is good", S("HTTP/1.1 599 X" END), 0},
    {"status 600", S("HTTP/1.1 600 X" END), 502},
    {"status 99", S("HTTP/1.1 099 X" END), 502},
    {"status 0", S("HTTP/1.1 000 X" END), 502},
    {"a status of two digits", S("HTTP/1.1 20 OK" END), 502},
    {"a status of four digits", S("HTTP/1.1 2000 OK" END), 502},
    {"a status that is no number", S("HTTP/1.1 2x0 OK" END), 502},
    {"no status", S("HTTP/1.1" END), 502},
    {"two blanks before the status", S("HTTP/1.1  200 OK" END), 502},
    {"a tab behind the status", S("HTTP/1.1 200\tOK" END), 502},
    {"a NUL in a reason", S("HTTP/1.1 200 O\0K" END), 502},
    {"a bare CR in a reason", S("HTTP/1.1 200 O\rK" END), 502},
    {"a response of HTTP/2.0", S("HTTP/2.0 200 OK" END), 502},
    {"a response in lower case", S("http/1.1 200 OK" END), 502},
    {"another protocol's response", S("ICY 200 OK" END), 502},
    {"an empty line before a response", S("\r\nHTTP/1.1 200 OK" END), 502},
    {"a bare LF in a response", S("HTTP/1.1 200 OK\nA: b" END), 502},
    {"a blank before the colon in a response", S("HTTP/1.1 200 OK\r\nA : b" END), 502},
    {"a folded value in a response", S("HTTP/1.1 200 OK\r\nA: b\r\n c" END), 502},
    {"too many fields in a response", S("HTTP/1.1 200 OK\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:" END),
     502},
};

static void check_response(void **state)
{
    const struct fact *row = *state;
    struct lint_field fields[10];
    struct lint_head head = {.fields = fields, .room = 10};
    struct fault f = lint_response(row->head, &limits, &head);
    if (f.status != row->status)
        fail_msg("status %d (%s), wanted %d", f.status, f.why ? f.why : "", row->status);
}

/* lint_find_end: the verdict and how many bytes it took, bytes given one at a time. */
struct progress {
    const char *name;
    struct slice bytes;
    bool is_response;
    enum lint_progress verdict;
    size_t at; /* the end of the head, or the bytes after which it was refused */
    int status;
};

static const struct progress progress_rows[] = {
    {"a head ends with its empty line", S("GET / HTTP/1.1\r\nA: b\r\n\r\n"), .at = 24,
     .verdict = LINT_COMPLETE},
    {"a head without fields ends with its empty line", S("GET / HTTP/1.1\r\n\r\n"), .at = 18,
     .verdict = LINT_COMPLETE},
    {"what follows a head is not looked at", S("GET / HTTP/1.1\r\n\r\n\n\n"), .at = 18,
     .verdict = LINT_COMPLETE},
    {"empty lines before a request belong to its head", S("\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     .at = 22, .verdict = LINT_COMPLETE},
    {"half a head needs more", S("GET / HTTP/1.1\r\nA: b\r\n\r"), .verdict = LINT_MORE},
    {"nothing needs more", S(""), .verdict = LINT_MORE},
    {"a CR may become an empty line", S("\r"), .verdict = LINT_MORE},
    {"two empty lines need more", S("\r\n\r\n"), .verdict = LINT_MORE},
    {"a third empty line is refused at its first byte", S("\r\n\r\n\r\n"), .at = 5, .status = 400,
     .verdict = LINT_BAD},
    {"a bare LF is refused at once", S("GET / HTTP/1.1\nA"), .at = 15, .status = 400,
     .verdict = LINT_BAD},
    {"a bare LF as empty line is refused at once", S("GET / HTTP/1.1\r\n\nA"), .at = 17,
     .status = 400, .verdict = LINT_BAD},
    {"a bare LF as first byte is refused at once", S("\n"), .at = 1, .status = 400,
     .verdict = LINT_BAD},
    {"a bare CR as first byte is refused with the next", S("\rG"), .at = 2, .status = 400,
     .verdict = LINT_BAD},
    {"a LF behind one byte is refused", S("G\n"), .at = 2, .status = 400, .verdict = LINT_BAD},
    {"a TLS hello is refused at its first byte", S("\x16\x03\x01"), .at = 1, .status = 400,
     .verdict = LINT_BAD},
    {"a blank as first byte is refused", S(" GET"), .at = 1, .status = 400, .verdict = LINT_BAD},
    {"a blank behind an empty line is refused", S("\r\n GET"), .at = 3, .status = 400,
     .verdict = LINT_BAD},
    {"the preface of HTTP/2 is a complete head", S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .at = 18,
     .verdict = LINT_COMPLETE},
    {"a response's head ends with its empty line", S("HTTP/1.1 200 OK\r\n\r\n"), true, .at = 19,
     .verdict = LINT_COMPLETE},
    {"a response does not start with an empty line", S("\r\nHTTP/1.1"), true, .at = 1,
     .status = 502, .verdict = LINT_BAD},
    {"a response starts with an H", S("200 OK"), true, .at = 1, .status = 502, .verdict = LINT_BAD},
    {"a bare LF in a response is refused at once", S("HTTP/1.1 200 OK\nA"), true, .at = 16,
     .status = 502, .verdict = LINT_BAD},
};

static void check_verdict(const struct progress *row, enum lint_progress verdict, size_t end,
                          struct fault fault)
{
    assert_int_equal(verdict, row->verdict);
    if (verdict == LINT_COMPLETE)
        assert_int_equal(end, row->at);
    if (verdict == LINT_BAD) {
        assert_int_equal(fault.status, row->status);
        assert_non_null(fault.why);
    }
}

static void check_progress(void **state)
{
    const struct progress *row = *state;
    size_t scanned = 0, end = 0;
    struct fault fault = fault_none();
    enum lint_progress verdict =
        lint_find_end(row->bytes, &scanned, !row->is_response, &limits, &end, &fault);
    check_verdict(row, verdict, end, fault);

    scanned = end = 0;
    verdict = LINT_MORE;
    size_t n = 0;
    while (verdict == LINT_MORE && n < row->bytes.len)
        verdict = lint_find_end(slice_of(row->bytes.at, ++n), &scanned, !row->is_response, &limits,
                                &end, &fault);
    check_verdict(row, verdict, end, fault);
    if (verdict != LINT_MORE)
        assert_int_equal(n, row->at);
}

static void spans_of_a_request_are_where_they_are(void **state)
{
    (void)state;
    struct slice bytes = SLICE("\r\nPOST /a?b HTTP/1.7\r\nHost: \t a b \t\r\nEmpty:\r\n\r\n");
    struct lint_field fields[10];
    struct lint_head head = {.fields = fields, .room = 10};
    assert_false(fault_is(lint_request(bytes, &limits, &head)));
    assert_int_equal(head.skipped, 2);
    assert_text(slice_of(bytes.at + head.method, head.method_len), "POST");
    assert_text(slice_of(bytes.at + head.target, head.target_len), "/a?b");
    assert_int_equal(head.major, 1);
    assert_int_equal(head.minor, 7);
    assert_int_equal(head.count, 2);
    assert_text(slice_of(bytes.at + fields[0].name, fields[0].name_len), "Host");
    assert_text(slice_of(bytes.at + fields[0].value, fields[0].value_len), "a b");
    assert_text(slice_of(bytes.at + fields[1].name, fields[1].name_len), "Empty");
    assert_int_equal(fields[1].value_len, 0);
}

static void spans_of_a_response_are_where_they_are(void **state)
{
    (void)state;
    struct slice bytes = SLICE("HTTP/1.0 103 Early  Hints\r\nLink: </a>\r\n\r\n");
    struct lint_field fields[10];
    struct lint_head head = {.fields = fields, .room = 10};
    assert_false(fault_is(lint_response(bytes, &limits, &head)));
    assert_int_equal(head.status, 103);
    assert_int_equal(head.minor, 0);
    assert_text(slice_of(bytes.at + head.reason, head.reason_len), "Early  Hints");
    assert_int_equal(head.count, 1);
    assert_text(slice_of(bytes.at + fields[0].value, fields[0].value_len), "</a>");
}

static void a_refused_request_still_shows_what_was_read(void **state)
{
    (void)state;
    struct slice bytes = SLICE("BREW /pot HTTP/2.0\r\n\r\n");
    struct lint_field fields[1];
    struct lint_head head = {.fields = fields, .room = 1};
    assert_int_equal(lint_request(bytes, &limits, &head).status, 505);
    assert_text(slice_of(bytes.at + head.method, head.method_len), "BREW");
    assert_text(slice_of(bytes.at + head.target, head.target_len), "/pot");
    bytes = SLICE("B(EW / HTTP/1.1\r\n\r\n");
    assert_int_equal(lint_request(bytes, &limits, &head).status, 400);
    assert_int_equal(head.method_len, 0);
}

static void fields_never_exceed_the_array(void **state)
{
    (void)state;
    struct lint_field fields[1];
    struct lint_head head = {.fields = fields, .room = 1};
    struct slice bytes = SLICE("GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n");
    assert_int_equal(lint_request(bytes, &limits, &head).status, 431);
    assert_int_equal(head.count, 1);
}

/* A request or response whose start line has `line` bytes and whose head has `size` in all. */
static struct slice make_head(char *out, bool is_request, size_t line, size_t size)
{
    memset(out, 'x', size);
    memcpy(out, is_request ? "GET /" : "HTTP/1.1 200 ", is_request ? 5 : 13);
    if (is_request)
        memcpy(out + line - 9, " HTTP/1.1", 9);
    memcpy(out + line, "\r\nA:", 4);
    memcpy(out + size - 4, "\r\n\r\n", 4);
    return slice_of(out, size);
}

struct size {
    const char *name;
    bool is_response;
    size_t line, size;
    int status;
};

static const struct size size_rows[] = {
    {"a request line of the limit is good", false, 100, 200, 0},
    {"a request line of one byte more", false, 101, 200, 414},
    {"a request line of far more", false, 250, 290, 414},
    {"a head of the limit is good", false, 50, 300, 0},
    {"a head of one byte more", false, 50, 301, 431},
    {"a head of far more", false, 50, 5000, 431},
    {"a request line longer than a head may be", false, 4000, 5000, 414},
    {"a status line of the limit is good", true, 100, 200, 0},
    {"a status line of one byte more", true, 101, 200, 502},
    {"a response's head of the limit is good", true, 50, 300, 0},
    {"a response's head of one byte more", true, 50, 301, 502},
};

static void check_size(void **state)
{
    const struct size *row = *state;
    char bytes[5000];
    struct slice whole = make_head(bytes, !row->is_response, row->line, row->size);
    size_t scanned = 0, end = 0;
    struct fault fault = fault_none();
    enum lint_progress verdict =
        lint_find_end(whole, &scanned, !row->is_response, &limits, &end, &fault);
    assert_int_equal(fault.status, row->status);
    assert_int_equal(verdict, row->status ? LINT_BAD : LINT_COMPLETE);

    scanned = end = 0;
    verdict = LINT_MORE;
    size_t n = 0;
    while (verdict == LINT_MORE)
        verdict =
            lint_find_end(slice_of(bytes, ++n), &scanned, !row->is_response, &limits, &end, &fault);
    assert_int_equal(fault.status, row->status);
    assert_true(n <= limits.head);

    struct lint_field fields[10];
    struct lint_head head = {.fields = fields, .room = 10};
    struct fault f = row->is_response ? lint_response(whole, &limits, &head)
                                      : lint_request(whole, &limits, &head);
    /* Given a whole head that is too large, lint need not look for the line that is too long. */
    assert_int_equal(f.status, row->status == 414 && row->size > limits.head ? 431 : row->status);
}

/* The limits are not the only bound: offsets are kept in 32 bits. Never read, so need not exist. */
static void a_head_of_four_gigabytes_is_refused_unread(void **state)
{
    (void)state;
    const struct lint_limits huge = {.start_line = SIZE_MAX, .head = SIZE_MAX, .fields = 5};
    struct lint_head head = {.fields = NULL, .room = 0};
    struct slice bytes = {"GET", (size_t)UINT32_MAX + 1};
    assert_int_equal(lint_request(bytes, &huge, &head).status, 431);
}

/* Reading time is counted in bytes looked at, so this cannot show on a clock; it shows in the
 * answer to a LF that was already behind `scanned`: nobody looks there again. */
static void a_byte_is_scanned_once(void **state)
{
    (void)state;
    char bytes[] = "GET / HTTP/1.1\r\nA: b";
    size_t scanned = 0, end = 0;
    struct fault fault;
    struct slice s = slice_of(bytes, sizeof bytes - 1);
    assert_int_equal(lint_find_end(s, &scanned, true, &limits, &end, &fault), LINT_MORE);
    assert_int_equal(scanned, s.len);
    bytes[5] = '\n';
    assert_int_equal(lint_find_end(s, &scanned, true, &limits, &end, &fault), LINT_MORE);
}

struct line {
    const char *name;
    struct slice line;
    const char *field; /* NULL: refused */
    const char *value;
};

static const struct line line_rows[] = {
    {"a field line is taken apart", S("A-b: c"), "A-b", "c"},
    {"a value is trimmed", S("A:\t b c \t"), "A", "b c"},
    {"a value may be empty", S("A:"), "A", ""},
    {"a field line must not be empty", S(""), NULL, NULL},
    {"a field line needs a colon", S("A"), NULL, NULL},
    {"a field line needs a name", S(":b"), NULL, NULL},
    {"a name touches its colon", S("A :b"), NULL, NULL},
    {"a field line does not start with a blank", S(" A:b"), NULL, NULL},
    {"a value holds no CR", S("A: b\rc"), NULL, NULL},
    {"a value holds no LF", S("A: b\nc"), NULL, NULL},
    {"a value holds no NUL", S("A: \0"), NULL, NULL},
};

static void check_line(void **state)
{
    const struct line *row = *state;
    struct slice name, value;
    assert_int_equal(lint_field_line(row->line, &name, &value), row->field != NULL);
    if (row->field) {
        assert_text(name, row->field);
        assert_text(value, row->value);
    }
}

static void bytes_of_values_and_targets_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool in_value = c == '\t' || (c >= ' ' && c != 0x7f);
        bool in_target = c > ' ' && c < 0x7f && c != '#';
        assert_int_equal(lint_is_value(slice_of(&byte, 1)), in_value);
        assert_int_equal(lint_is_target(slice_of(&byte, 1)), in_target);
    }
    assert_true(lint_is_value(SLICE("")));
    assert_false(lint_is_target(SLICE("")));
}

/* Values are looked at several bytes at a time: each byte of each is. */
static void no_byte_of_a_value_is_overlooked(void **state)
{
    (void)state;
    static const char around[] = {'a', ' ', '\t', '~', '\x80', '\xff'};
    char value[20];
    for (size_t len = 1; len <= sizeof value; len++) {
        for (size_t other = 0; other < sizeof around; other++) {
            memset(value, around[other], len);
            for (size_t at = 0; at < len; at++) {
                for (int c = 0; c < 256; c++) {
                    value[at] = (char)c;
                    assert_int_equal(lint_is_value(slice_of(value, len)),
                                     c == '\t' || (c >= ' ' && c != 0x7f));
                }
                value[at] = around[other];
            }
        }
    }
}

int main(void)
{
    FACT_ADD_TABLE(request_rows, check_request);
    FACT_ADD_TABLE(response_rows, check_response);
    FACT_ADD_TABLE(progress_rows, check_progress);
    FACT_ADD_TABLE(size_rows, check_size);
    FACT_ADD_TABLE(line_rows, check_line);
    fact_add("spans of a request", spans_of_a_request_are_where_they_are, NULL);
    fact_add("spans of a response", spans_of_a_response_are_where_they_are, NULL);
    fact_add("a refused request still shows what was read",
             a_refused_request_still_shows_what_was_read, NULL);
    fact_add("fields never exceed the array", fields_never_exceed_the_array, NULL);
    fact_add("a head of four gigabytes is refused unread",
             a_head_of_four_gigabytes_is_refused_unread, NULL);
    fact_add("a byte is scanned once", a_byte_is_scanned_once, NULL);
    fact_add("bytes of values and targets", bytes_of_values_and_targets_are_those_of_the_rfc, NULL);
    fact_add("no byte of a value is overlooked", no_byte_of_a_value_is_overlooked, NULL);
    return fact_run("lint");
}
