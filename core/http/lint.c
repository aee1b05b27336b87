/*
 * lint: the first reader of every head, and the only strict one. Owns nothing, allocates nothing.
 * Promises that in a head which passed every line ends in CRLF, no control byte is left, and each
 * span of *out is what RFC 9112 says it is.
 *
 * Inside, faults carry the status of a request; a response turns each into 502 at the door.
 *
 * Next on a request's way: http/head, which lets http-parser read the same bytes and compares.
 */
#include "http/lint.h"

#include <assert.h>
#include <string.h>

#include "http/target.h"

#define METHOD_MAX      32
#define EMPTY_LINES_MAX ((size_t)2)
#define STATUS_LEAST    100
#define STATUS_MOST     599
#define STATUS_DIGITS   3
#define VERSION_LEN     8 /* HTTP/1.1 */
#define BAD_GATEWAY     502

/* field-vchar, SP and HTAB; a reason phrase has the same bytes (RFC 9110 section 5.5). */
static bool is_value_byte(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* True if no byte of eight is a control byte or DEL, HTAB included; a doubtful answer is false.
 * Each term sets the top bit of a byte: of one below SP, of DEL; or of a byte with its top bit set,
 * which is masked out again. */
static bool are_plain(uint64_t eight)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t del = eight ^ (ones * 0x7f);
    return (((eight - ones * ' ') | (del - ones)) & ~eight & (ones * 0x80)) == 0;
}

bool lint_is_value(struct slice value)
{
    size_t i = 0;
    while (i < value.len) {
        uint64_t eight;
        if (value.len >= sizeof eight) {
            /* The last eight begin among those before them. */
            size_t at = value.len - i >= sizeof eight ? i : value.len - sizeof eight;
            memcpy(&eight, value.at + at, sizeof eight);
            if (are_plain(eight)) {
                i = at + sizeof eight;
                continue;
            }
        }
        if (!is_value_byte((unsigned char)value.at[i++]))
            return false;
    }
    return true;
}

bool lint_is_target(struct slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.at[i] < '!' || target.at[i] > '~' || target.at[i] == '#')
            return false;
    }
    return target.len > 0;
}

/* What is wrong with a field line, NULL for nothing. */
static const char *read_field_line(struct slice line, struct slice *name, struct slice *value)
{
    size_t len = 0;
    while (len < line.len && slice_is_token_byte((unsigned char)line.at[len]))
        len++;
    if (len == line.len)
        return "a field line without a colon";
    if (line.at[len] != ':') {
        if (len > 0)
            return "a field name that is no token directly before a colon";
        return line.at[0] == ' ' || line.at[0] == '\t' ? "a line that starts with white space"
                                                       : "a field name that is no token";
    }
    if (len == 0)
        return "an empty field name";
    *name = slice_of(line.at, len);
    *value = slice_trim(slice_of(line.at + len + 1, line.len - len - 1));
    return lint_is_value(*value) ? NULL : "a control byte in a field value";
}

bool lint_field_line(struct slice line, struct slice *name, struct slice *value)
{
    return !read_field_line(line, name, value);
}

/* Takes the next line off `*rest`, without its CRLF. */
static bool next_line(struct slice *rest, struct slice *line)
{
    size_t lf = slice_find(*rest, '\n');
    if (lf == rest->len || lf == 0 || rest->at[lf - 1] != '\r')
        return false;
    *line = slice_of(rest->at, lf - 1);
    *rest = slice_of(rest->at + lf + 1, rest->len - lf - 1);
    return true;
}

static struct fault line_end_fault(void)
{
    return fault_of(400, "a line that does not end in CRLF");
}

static uint32_t offset_of(struct slice head, struct slice part)
{
    return (uint32_t)(part.at - head.at);
}

static struct fault read_fields(struct slice head, struct slice rest,
                                const struct lint_limits *limits, struct lint_head *out)
{
    struct slice line;
    for (;;) {
        if (!next_line(&rest, &line))
            return line_end_fault();
        if (line.len == 0)
            break;
        struct slice name, value;
        const char *why = read_field_line(line, &name, &value);
        if (why)
            return fault_of(400, why);
        if (out->count == limits->fields || out->count == out->room)
            return fault_of(431, "more fields than the limit");
        out->fields[out->count++] = (struct lint_field){
            .name = offset_of(head, name),
            .name_len = (uint32_t)name.len,
            .value = offset_of(head, value),
            .value_len = (uint32_t)value.len,
        };
    }
    return rest.len == 0 ? fault_none() : fault_of(400, "bytes behind the empty line");
}

/* Takes `*line` up to the first SP, which goes too; the whole of it when there is none. */
static struct slice take_word(struct slice *line)
{
    size_t len = slice_find(*line, ' ');
    struct slice word = slice_of(line->at, len);
    *line = slice_skip(*line, len + 1);
    return word;
}

/* RFC 9112 section 2.3; letter case counts. */
static struct fault read_version(struct slice version, struct lint_head *out)
{
    if (version.len != VERSION_LEN || !slice_starts(version, SLICE("HTTP/")) ||
        !is_digit(version.at[5]) || version.at[6] != '.' || !is_digit(version.at[7]))
        return fault_of(400, "a malformed or missing HTTP version");
    out->major = (unsigned)(version.at[5] - '0');
    out->minor = (unsigned)(version.at[7] - '0');
    return out->major == 1 ? fault_none() : fault_of(505, "a major version other than 1");
}

static struct fault check_method(struct slice method)
{
    if (!slice_is_token(method))
        return fault_of(400, "a method that is no token");
    if (method.len > METHOD_MAX)
        return fault_of(501, "a method longer than the limit");
    if (slice_equals(method, SLICE("CONNECT")))
        return fault_of(501, "CONNECT, which a gateway does not serve");
    return fault_none();
}

/* RFC 9112 section 3: method SP request-target SP HTTP-version. */
static struct fault read_request_line(struct slice head, struct slice line, struct lint_head *out)
{
    struct slice method = take_word(&line);
    struct fault f = check_method(method);
    out->method = offset_of(head, method);
    /* A log line may show the method of a refused request, but not what was no method. */
    out->method_len = f.status == 400 ? 0 : (uint32_t)method.len;
    if (fault_is(f))
        return f;
    struct slice target = take_word(&line);
    if (!lint_is_target(target))
        return fault_of(400, "a request target that is empty or holds a byte it may not");
    out->target = offset_of(head, target);
    out->target_len = (uint32_t)target.len;
    f = read_version(line, out);
    if (fault_is(f))
        return f;
    struct target parts;
    return target_read(&parts, method, target);
}

/* RFC 9112 section 4: HTTP-version SP status-code SP [reason]. The last SP may be missing: real
 * origins leave it out together with the reason. */
static struct fault read_status_line(struct slice head, struct slice line, struct lint_head *out)
{
    struct fault f = read_version(take_word(&line), out);
    if (fault_is(f))
        return f;
    struct slice code = take_word(&line);
    uint64_t status;
    if (code.len != STATUS_DIGITS || !slice_to_number(code, &status))
        return fault_of(400, "a status code that is not three digits");
    if (status < STATUS_LEAST || status > STATUS_MOST)
        return fault_of(400, "a status code below 100 or above 599");
    out->status = (int)status;
    if (!lint_is_value(line))
        return fault_of(400, "a control byte in a reason phrase");
    out->reason = line.len > 0 ? offset_of(head, line) : 0;
    out->reason_len = (uint32_t)line.len;
    return fault_none();
}

/* The length of the empty lines at the front, as far as they are allowed (RFC 9112 section 2.2). */
static size_t skip_empty_lines(struct slice bytes)
{
    size_t skipped = 0;
    while (skipped < 2 * EMPTY_LINES_MAX && slice_starts(slice_skip(bytes, skipped), SLICE("\r\n")))
        skipped += 2;
    return skipped;
}

static struct fault read_head(struct slice head, bool is_request, const struct lint_limits *limits,
                              struct lint_head *out)
{
    struct lint_field *fields = out->fields;
    *out = (struct lint_head){.fields = fields, .room = out->room};
    if (head.len > limits->head || head.len > UINT32_MAX)
        return fault_of(431, "a head larger than the limit");
    out->skipped = is_request ? (uint32_t)skip_empty_lines(head) : 0;
    struct slice rest = slice_skip(head, out->skipped);
    struct slice line;
    if (!next_line(&rest, &line))
        return line_end_fault();
    if (line.len > limits->start_line)
        return fault_of(414, "a start line longer than the limit");
    struct fault f =
        is_request ? read_request_line(head, line, out) : read_status_line(head, line, out);
    return fault_is(f) ? f : read_fields(head, rest, limits, out);
}

struct fault lint_request(struct slice head, const struct lint_limits *limits,
                          struct lint_head *out)
{
    return read_head(head, true, limits, out);
}

struct fault lint_response(struct slice head, const struct lint_limits *limits,
                           struct lint_head *out)
{
    struct fault f = read_head(head, false, limits, out);
    return fault_is(f) ? fault_of(BAD_GATEWAY, f.why) : f;
}

/* Judges the first bytes, empty lines included; `*start` is where the start line begins. */
static struct fault check_start(struct slice bytes, bool is_request, size_t *start)
{
    *start = is_request ? skip_empty_lines(bytes) : 0;
    struct slice rest = slice_skip(bytes, *start);
    if (rest.len == 0)
        return fault_none();
    if (!is_request)
        return rest.at[0] == 'H' ? fault_none() : fault_of(400, "no status line");
    if (rest.at[0] != '\r')
        return slice_is_token_byte((unsigned char)rest.at[0])
                   ? fault_none()
                   : fault_of(400, "a first byte that no request starts with");
    if (*start == 2 * EMPTY_LINES_MAX)
        return fault_of(400, "more than two empty lines before a request");
    return rest.len == 1 ? fault_none() : fault_of(400, "a bare CR");
}

/*
 * Looks at the line feeds from `from` on. Needs no memory of earlier calls but `from`: whether a
 * line is empty shows in the two bytes before its LF. The start line is known not to be empty.
 */
static enum lint_progress scan_lines(struct slice bytes, size_t from, size_t *end,
                                     struct fault *fault)
{
    const char *lf;
    while (from < bytes.len && (lf = memchr(bytes.at + from, '\n', bytes.len - from))) {
        size_t at = (size_t)(lf - bytes.at);
        if (bytes.at[at - 1] != '\r') {
            *fault = fault_of(400, "a bare LF");
            return LINT_BAD;
        }
        if (bytes.at[at - 2] == '\n') {
            *end = at + 1;
            return LINT_COMPLETE;
        }
        from = at + 1;
    }
    return LINT_MORE;
}

static enum lint_progress find_end(struct slice bytes, size_t *scanned, bool is_request,
                                   const struct lint_limits *limits, size_t *end,
                                   struct fault *fault)
{
    size_t start;
    *fault = check_start(bytes, is_request, &start);
    if (fault_is(*fault))
        return LINT_BAD;
    struct slice within = slice_of(bytes.at, bytes.len < limits->head ? bytes.len : limits->head);

    /* Asked once, when the bytes first reach past the longest start line and its CRLF. */
    size_t line_most = start + limits->start_line + 2;
    if (*scanned < line_most && within.len >= line_most &&
        !memchr(bytes.at + start, '\n', line_most - start)) {
        *fault = fault_of(414, "a start line longer than the limit");
        return LINT_BAD;
    }
    enum lint_progress progress =
        scan_lines(within, *scanned > start ? *scanned : start, end, fault);
    if (progress == LINT_MORE && bytes.len >= limits->head) {
        *fault = fault_of(431, "a head larger than the limit");
        return LINT_BAD;
    }
    *scanned = within.len;
    return progress;
}

enum lint_progress lint_find_end(struct slice bytes, size_t *scanned, bool is_request,
                                 const struct lint_limits *limits, size_t *end, struct fault *fault)
{
    assert(*scanned <= bytes.len);
    enum lint_progress progress = find_end(bytes, scanned, is_request, limits, end, fault);
    if (progress == LINT_BAD && !is_request)
        fault->status = BAD_GATEWAY;
    return progress;
}
