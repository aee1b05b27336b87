/*
 * policy: what the proxy asks of a policy engine, and what an engine may see and say.
 *
 * The core decides nothing here and knows no Lua. It asks one question at a time for an exchange;
 * the engine answers now, or says that it will answer later and then calls `done`. An engine
 * written in C is a table of four functions (tests/unit has one).
 *
 * Life of a view: it lives in the exchange, from the first question to `forget`. After `forget`
 * the engine must not touch it; whatever handle a script still has must fail, not crash.
 */
#ifndef INTERIM_PROXY_POLICY_H
#define INTERIM_PROXY_POLICY_H

#include "http/interim.h"
#include "http/request.h"
#include "http/response.h"
#include "net/addr.h"
#include "proxy/settings.h"

enum policy_hook {
    HOOK_REQUEST,
    HOOK_EXPECT,
    HOOK_UPGRADE,
    HOOK_TIMEOUT,
    HOOK_ERROR,
    HOOK_RESPONSE,
    HOOK_LOG,
    HOOK_COUNT
};

const char *policy_hook_name(enum policy_hook hook); /* "request" */

/* For the end of a log line: what happens next when that hook failed; `goes_on` is
 * settings.on_error_default. */
const char *policy_after_failure(enum policy_hook hook, bool goes_on);

/* What the `timeout` and `error` hooks are told. */
struct policy_trouble {
    const char *kind;     /* "response", "connect", "refused", "bad_response"…; a literal */
    int status;           /* what the built-in page would say */
    double after;         /* seconds the deadline was set to; 0 for an error */
    double elapsed;       /* seconds since the end of the request head */
    const char *upstream; /* name, or "" */
    const char *address;  /* tried last, or "" */
    const char *detail;   /* for people: what was tried and what happened */
    size_t interims;      /* interim responses seen */
    int last_interim;     /* code, 0: none */
    uint64_t bytes_sent;  /* of the request body, to the origin */
};

#define POLICY_INTERIM_CODES 16 /* codes kept per exchange, for logs */

/* What the `log` hook and the access log are told once the exchange is over. */
struct policy_result {
    int status;           /* final one sent to the client; 0: none was */
    const char *outcome;  /* "upstream", "here", "aborted", "cut": where the answer came from */
    const char *error;    /* why it failed; "" */
    const char *upstream; /* name; "" */
    const char *address;  /* of the origin; "" */
    const char *expect;   /* "", "forward-100", "continue", "refused"…: decisions.c */
    const char *upgrade;  /* "", the protocol switched to, or "declined"…: decisions.c */
    const int *interims;  /* codes forwarded, in order; the first POLICY_INTERIM_CODES */
    size_t interim_count; /* forwarded in all */
    uint64_t bytes_in;    /* request body bytes received */
    uint64_t bytes_out;   /* response body bytes sent */
    uint64_t tunnel_in;   /* client to origin */
    uint64_t tunnel_out;  /* origin to client */
    double elapsed;       /* seconds, end of request head to the end */
    double connect;       /* seconds to a connection; 0 when it was pooled */
    double first_byte;    /* seconds to the first byte of any response; 0: none */
    bool reused;          /* the origin's connection came from the pool */
};

/* What an engine may see of an exchange, and change where a comment says so. */
struct policy_view {
    uint64_t id;            /* unique in this worker, never used again */
    const char *request_id; /* as in the access log; a trusted peer may have given it */
    struct arena *arena;    /* for whatever a verdict or an edit needs; dies with the exchange */
    const struct settings *settings;
    struct request *request; /* HOOK_REQUEST may edit head, path, query */
    struct response
        *response; /* NULL before HOOK_RESPONSE, which may edit head.status and fields */
    const struct addr *client;
    int upstream;                         /* index in settings; HOOK_REQUEST may set it; -1: none */
    uint64_t max_body;                    /* HOOK_REQUEST may set it; UINT64_MAX: no limit */
    const struct policy_trouble *trouble; /* HOOK_TIMEOUT, HOOK_ERROR */
    const struct policy_result *result;   /* HOOK_LOG */
    void *engine; /* the engine's own; NULL at first; `forget` lets go of it */
};

/* What the request hook, or the response hook, set must still be within bounds: fault_none, or what
 * to answer, and which one it is over. */
struct fault policy_request_fault(const struct policy_view *view);
struct fault policy_response_fault(const struct policy_view *view);

enum verdict_kind {
    VERDICT_DEFAULT,  /* nil */
    VERDICT_FORWARD,  /* expect */
    VERDICT_CONTINUE, /* expect */
    VERDICT_OFFER,    /* upgrade: `offers`, each of which the client offered */
    VERDICT_ORDINARY, /* upgrade: treat as an ordinary request */
    VERDICT_ANSWER,   /* a final answer: status, fields, body */
    VERDICT_FAILED    /* the hook erred; the engine has logged why */
};

/* 204, 205 and 304 end with their head, whatever a policy gives them (RFC 9110 sections 15.3.5,
 * 15.3.6, 15.4.5): they have no page either, and no type of a body. */
static inline bool policy_answer_is_bodiless(int status)
{
    return status == 204 || status == 205 || status == 304;
}

/* A policy's body is held for a slow client, and the wall there is CONN_OUT_MAX. */
#define POLICY_BODY_MAX (8u << 20)

/*
 * Slices point into view->arena or are literals. An engine gives no answer whose body is over
 * POLICY_BODY_MAX or whose fields are over limits.fields or limits.head: that is a failed hook.
 */
struct verdict {
    enum verdict_kind kind;
    int status; /* 200..599; 101 and other 1xx are not a final answer */
    struct field *fields;
    size_t field_count;
    struct slice body;
    bool has_body; /* false: a built-in page for that status */
    struct upgrade_offers offers;
};

/* One question. Lives in the exchange; one at a time. */
struct policy_call {
    enum policy_hook hook;
    struct policy_view *view;
    struct verdict verdict;                 /* VERDICT_DEFAULT when asked; valid once answered */
    void (*done)(struct policy_call *call); /* called once, from the loop, never inside ask */
    void *waiting;                          /* the engine's own while it waits, else NULL */
};

struct policy;

struct policy_ops {
    /* True: call->verdict is set. False: it will be, and `done` called, unless `cancel` comes. */
    bool (*ask)(struct policy *p, struct policy_call *call);
    /* The answer is no longer wanted: the client left, or the hook's time is up. No `done` then. */
    void (*cancel)(struct policy *p, struct policy_call *call);
    /* The exchange is over, the view dies. */
    void (*forget)(struct policy *p, struct policy_view *view);
    /* No call waits and no view is held. */
    void (*free)(struct policy *p);
};

/* The head of every engine's own struct. */
struct policy {
    const struct policy_ops *ops;
    unsigned hooks; /* bit 1u << HOOK_x: the policy defines it; a hook that is not costs nothing */
};

/* `p` may be NULL: no policy, no hooks. */
static inline bool policy_has(const struct policy *p, enum policy_hook hook)
{
    return p != NULL && (p->hooks & 1u << hook) != 0;
}

#endif
