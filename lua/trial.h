/*
 * trial: a policy and one exchange made by hand, without sockets: what the offline tools ask hooks
 * with. The head goes through the same reader as a client's, the hooks through the same table as
 * in a worker.
 *
 * Time passes at once: interim.sleep returns immediately, the clocks that hooks see move on by what
 * it was asked for, and `timeouts.hook` counts it.
 */
#ifndef INTERIM_LUA_TRIAL_H
#define INTERIM_LUA_TRIAL_H

#include "base/buf.h"
#include "http/trace.h"
#include "proxy/policy.h"

struct trial {
    struct settings settings;
    struct ev_loop *loop;
    struct policy *policy; /* NULL: not open */
    struct arena arena;    /* of the exchange; everything below borrows from it */
    struct buf log;        /* lines of the latest question: a level's digit, text, newline */
    char id[TRACE_REQUEST_ID_MAX + 1];
    struct addr client;
    struct request request;
    struct response response;
    struct policy_view view;
    struct policy_call call;
    struct policy_trouble trouble;
    struct policy_result result;
    int codes[POLICY_INTERIM_CODES];
    double waited; /* seconds that the latest hook slept */
};

/* Reads and loads a policy file, with what `allow` (bits of settings_allow_bit) adds. False with
 * one message per line in *errors; close it anyhow. What the file logs is in `log`. */
bool trial_open(struct trial *t, const char *path, unsigned allow, struct buf *errors);
void trial_close(struct trial *t);

/* Begins an exchange with this head, from this client: an address with or without port. False with
 * a message if that is none; else *fault says what is wrong with the head. */
bool trial_begin(struct trial *t, struct slice head, struct slice client, struct fault *fault,
                 char *why, size_t why_size);

/* The head of the final response, for the response hook. */
struct fault trial_respond(struct trial *t, struct slice head);

/* Asks a hook to its end; the default at once if the policy does not define it. */
const struct verdict *trial_ask(struct trial *t, enum policy_hook hook);

#endif
