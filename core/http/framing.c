/*
 * framing: the only place that says how long a message is. Pure functions of the fields; nothing
 * is guessed and nothing is repaired, since a length that two readers can read in two ways is how
 * requests are smuggled.
 *
 * Next on a request's way: http/request keeps the answer, nobody asks again.
 */
#include "http/framing.h"

/* A list of other codings that ends in the one chunked (RFC 9112 section 6.1). */
static bool is_coded_list(struct slice list)
{
    struct slice member;
    size_t others = 0;
    bool chunked = false;
    while (slice_next_member(&list, &member)) {
        if (chunked || !slice_is_token(member))
            return false;
        chunked = slice_equals_nocase(member, SLICE("chunked"));
        others += chunked ? 0 : 1;
    }
    return chunked && others > 0;
}

static const struct slice chunked_name = SLICE_INIT("chunked");

struct fault framing_of_request(const struct head *head, struct framing *out)
{
    const struct field *coding = head_find(head, FIELD_TRANSFER_ENCODING);
    const struct field *length = head_find(head, FIELD_CONTENT_LENGTH);
    *out = (struct framing){.kind = FRAMING_NONE};
    if (coding) {
        if (head->minor == 0)
            return fault_of(400, "Transfer-Encoding in HTTP/1.0");
        if (length)
            return fault_of(400, "Transfer-Encoding together with Content-Length");
        if (head_count(head, FIELD_TRANSFER_ENCODING) > 1)
            return fault_of(400, "more than one Transfer-Encoding");
        if (slice_equals_nocase(coding->value, chunked_name)) {
            out->kind = FRAMING_CHUNKED;
            return fault_none();
        }
        return is_coded_list(coding->value)
                   ? fault_of(501, "a transfer coding other than chunked")
                   : fault_of(400, "a Transfer-Encoding that is not chunked");
    }
    if (length) {
        if (head_count(head, FIELD_CONTENT_LENGTH) > 1)
            return fault_of(400, "more than one Content-Length");
        if (!slice_to_number(length->value, &out->length))
            return fault_of(400, "a Content-Length that is no number");
        out->kind = FRAMING_LENGTH;
    }
    return fault_none();
}

/* What the fields of a final response say, before its status has a say. */
static struct fault read_response_fields(const struct head *head, struct framing *out)
{
    const struct field *coding = head_find(head, FIELD_TRANSFER_ENCODING);
    const struct field *length = head_find(head, FIELD_CONTENT_LENGTH);
    out->kind = FRAMING_CLOSE;
    if (coding) {
        if (head->minor == 0)
            return fault_of(502, "Transfer-Encoding in HTTP/1.0");
        if (length)
            return fault_of(502, "Transfer-Encoding together with Content-Length");
        /* No other coding was asked for: TE never goes to an origin with more than `trailers`. */
        if (head_count(head, FIELD_TRANSFER_ENCODING) > 1 ||
            !slice_equals_nocase(coding->value, chunked_name))
            return fault_of(502, "a Transfer-Encoding that is not one single chunked");
        out->kind = FRAMING_CHUNKED;
        return fault_none();
    }
    if (length) {
        if (head_count(head, FIELD_CONTENT_LENGTH) > 1)
            return fault_of(502, "more than one Content-Length");
        if (!slice_to_number(length->value, &out->length))
            return fault_of(502, "a Content-Length that is no number");
        out->kind = FRAMING_LENGTH;
    }
    return fault_none();
}

struct fault framing_of_response(const struct head *head, bool to_head_request, struct framing *out)
{
    *out = (struct framing){.kind = FRAMING_NONE};
    if (head->status < 200)
        return fault_none();
    struct fault f = read_response_fields(head, out);
    if (fault_is(f) || to_head_request || framing_is_bodiless(head->status))
        *out = (struct framing){.kind = FRAMING_NONE};
    return f;
}

bool framing_has_body(struct framing f)
{
    return f.kind == FRAMING_LENGTH ? f.length > 0 : f.kind != FRAMING_NONE;
}
