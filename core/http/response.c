/*
 * response: puts together what the readers below found out about one response head, interim or
 * final. Owns nothing; promises that whatever an origin sends is either well-formed or a 502.
 *
 * Next on a response's way: http/interim for a 1xx, http/rewrite for a final one.
 */
#include "http/response.h"

#include <http_parser.h>

/* RFC 9112 section 9.3. A body that ends with the connection takes it along. */
static bool read_keep_alive(const struct head *head, struct framing framing)
{
    if (framing.kind == FRAMING_CLOSE || head_has_token(head, FIELD_CONNECTION, SLICE("close")))
        return false;
    return head->minor > 0 || head_has_token(head, FIELD_CONNECTION, SLICE("keep-alive"));
}

struct fault response_read(struct response *out, struct arena *arena, struct slice bytes,
                           bool to_head_request, const struct lint_limits *limits, bool *disagreed)
{
    *out = (struct response){0};
    struct fault f = head_read_response(&out->head, arena, bytes, limits, disagreed);
    if (fault_is(f))
        return f;
    f = framing_of_response(&out->head, to_head_request, &out->framing);
    if (fault_is(f))
        return f;
    out->keep_alive = read_keep_alive(&out->head, out->framing);
    return f;
}

const char *response_reason(int status)
{
    switch (status) {
#define REASON(number, name, phrase)                                                               \
    case number:                                                                                   \
        return #phrase;
        HTTP_STATUS_MAP(REASON)
#undef REASON
    case 103:
        return "Early Hints";
    case 104:
        return "Upload Resumption Supported";
    case 425:
        return "Too Early";
    case 520:
        return "Web Server Returned an Unknown Error";
    case 521:
        return "Web Server Is Down";
    case 522:
        return "Connection Timed Out";
    case 523:
        return "Origin Is Unreachable";
    case 524:
        return "A Timeout Occurred";
    default:
        return "";
    }
}
