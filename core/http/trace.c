/*
 * trace: owns nothing; reads the fields that tell which request this is.
 *
 * Promises that what it returns can stand anywhere unescaped. Next on a request's way:
 * proxy/exchange, which keeps the id, and proxy/access_line.
 */
#include "http/trace.h"

#include <string.h>

/* traceparent: version, trace-id, parent-id and flags, in lower-case hex. */
#define TRACE_AT    3
#define TRACE_LEN   32
#define PARENT_AT   36
#define PARENT_LEN  16
#define FLAGS_AT    53
#define VERSION_LEN 2
#define PARTS_LEN   55 /* of version 00; a later one may go on behind a dash */

static bool is_id(struct slice s)
{
    static const bool allowed[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true,
        ['.'] = true,         ['_'] = true,         ['~'] = true,         ['+'] = true,
        ['/'] = true,         ['='] = true,         [':'] = true,         ['@'] = true,
    };

    for (size_t i = 0; i < s.len; i++)
        if (!allowed[(unsigned char)s.at[i]])
            return false;
    return s.len > 0 && s.len <= TRACE_REQUEST_ID_MAX;
}

/* The value of the only field of that kind; empty if there is none, or several. */
static struct slice only(const struct head *h, enum field_id id)
{
    const struct field *f = head_find(h, id);

    return f != NULL && head_count(h, id) == 1 ? f->value : SLICE("");
}

void trace_take_request_id(struct head *h, bool trusted, char id[TRACE_REQUEST_ID_MAX + 1])
{
    struct slice given = only(h, FIELD_X_REQUEST_ID);

    if (trusted && is_id(given)) {
        memcpy(id, given.at, given.len);
        id[given.len] = '\0';
    } else {
        head_remove(h, SLICE("X-Request-Id"));
    }
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.at[i] >= '0' && s.at[i] <= '9') && !(s.at[i] >= 'a' && s.at[i] <= 'f'))
            return false;
    return true;
}

static bool is_zero(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] != '0')
            return false;
    return true;
}

/* W3C Trace Context, section 3.2: version ff is none, ids are not all zero. */
static bool is_traceparent(struct slice s)
{
    if (s.len < PARTS_LEN || s.at[TRACE_AT - 1] != '-' || s.at[PARENT_AT - 1] != '-' ||
        s.at[FLAGS_AT - 1] != '-')
        return false;
    struct slice version = slice_of(s.at, VERSION_LEN);
    struct slice trace = slice_of(s.at + TRACE_AT, TRACE_LEN);
    struct slice parent = slice_of(s.at + PARENT_AT, PARENT_LEN);
    struct slice flags = slice_of(s.at + FLAGS_AT, PARTS_LEN - FLAGS_AT);
    if (s.len > PARTS_LEN && (is_zero(version) || s.at[PARTS_LEN] != '-'))
        return false;
    return is_hex(version) && !slice_equals(version, SLICE("ff")) && is_hex(trace) &&
           !is_zero(trace) && is_hex(parent) && !is_zero(parent) && is_hex(flags);
}

struct slice trace_id(const struct head *h)
{
    struct slice value = only(h, FIELD_TRACEPARENT);

    return is_traceparent(value) ? slice_of(value.at + TRACE_AT, TRACE_LEN) : SLICE("");
}
