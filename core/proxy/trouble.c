/*
 * trouble: owns the table of what goes wrong with origins. Next: proxy/answer asks a hook for the
 * page, or sends the built-in one.
 */
#include "proxy/trouble.h"

#include <assert.h>

static const struct {
    const char *kind;
    int status;     /* by default */
    int standard;   /* statuses = "standard" */
    int cloudflare; /* statuses = "cloudflare" */
} troubles[TROUBLE_COUNT] = {
    [TROUBLE_BODY] = {"body", 408, 408, 408},
    [TROUBLE_CONNECT] = {"connect", 522, 504, 522},
    [TROUBLE_SEND] = {"send", 522, 504, 522},
    [TROUBLE_RESPONSE] = {"response", 524, 504, 524},
    [TROUBLE_PROCESSING] = {"processing", 522, 504, 522},
    [TROUBLE_EXCHANGE] = {"exchange", 524, 504, 524},
    [TROUBLE_REFUSED] = {"refused", 502, 502, 521},
    [TROUBLE_UNREACHABLE] = {"unreachable", 502, 502, 523},
    [TROUBLE_CLOSED] = {"closed", 502, 502, 520},
    [TROUBLE_BAD_RESPONSE] = {"bad_response", 502, 502, 520},
    [TROUBLE_NO_UPSTREAM] = {"no_upstream", 502, 502, 502},
};

const char *trouble_kind(enum trouble t)
{
    assert(t < TROUBLE_COUNT);
    return troubles[t].kind;
}

int trouble_status(enum trouble t, enum statuses statuses)
{
    assert(t < TROUBLE_COUNT);
    switch (statuses) {
    case STATUSES_STANDARD:
        return troubles[t].standard;
    case STATUSES_CLOUDFLARE:
        return troubles[t].cloudflare;
    case STATUSES_DEFAULT:
        break;
    }
    return troubles[t].status;
}

double trouble_after(enum trouble t, const struct timeouts *timeouts)
{
    switch (t) {
    case TROUBLE_BODY:
        return timeouts->body;
    case TROUBLE_CONNECT:
        return timeouts->connect;
    case TROUBLE_SEND:
        return timeouts->send;
    case TROUBLE_RESPONSE:
        return timeouts->response;
    case TROUBLE_PROCESSING:
        return timeouts->processing;
    case TROUBLE_EXCHANGE:
        return timeouts->exchange;
    default:
        return 0;
    }
}
