/*
 * trial: walks no way by itself: lua/interim/way.lua does, in the order of
 * core/proxy/request_way.c.
 */
#include "trial.h"

#include "base/log.h"
#include "base/sys.h"
#include "engine.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX   (16u << 20) /* as in an exchange */
#define BUNDLE_MAX  (64u << 20)
#define LOG_MAX     (1u << 20)
#define CLIENT_PORT 50000

static void take_line(enum log_level level, const char *text, void *arg)
{
    buf_printf(arg, "%d%s\n", (int)level, text);
}

/* A worker loads what the loader read: so both are done, but what the file logs is kept once. */
static bool load(struct trial *t, const char *path, struct buf *bundle, struct buf *errors)
{
    if (!policy_engine.read(path, &t->settings, bundle, errors))
        return false;
    buf_clear(&t->log);
    t->policy = policy_engine.load(buf_slice(bundle), &t->settings, t->loop, errors);
    return t->policy != NULL;
}

bool trial_open(struct trial *t, const char *path, unsigned allow, struct buf *errors)
{
    struct buf bundle;

    memset(t, 0, sizeof *t);
    settings_default(&t->settings);
    t->settings.allow = allow;
    arena_init(&t->arena, ARENA_MAX);
    buf_init(&t->log, LOG_MAX);
    buf_init(&bundle, BUNDLE_MAX);
    t->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    if (t->loop == NULL) {
        buf_printf(errors, "%s: cannot make an event loop\n", path);
        return false;
    }
    log_divert(take_line, &t->log);
    bool ok = load(t, path, &bundle, errors);
    log_divert(NULL, NULL);
    buf_free(&bundle);
    if (ok)
        LIST_OWNER(t->policy, struct engine, policy)->hurries = true;
    return ok;
}

void trial_close(struct trial *t)
{
    if (t->policy != NULL) {
        t->policy->ops->forget(t->policy, &t->view);
        t->policy->ops->free(t->policy);
    }
    if (t->loop != NULL)
        ev_loop_destroy(t->loop);
    arena_free(&t->arena);
    buf_free(&t->log);
    t->policy = NULL;
    t->loop = NULL;
}

/* Beside what addr_parse reads: an address without a port, as a policy sees it. */
static bool read_client(struct addr *out, struct slice text, char *why, size_t why_size)
{
    struct addr_net alone;
    bool bare = slice_find(text, '/') == text.len && addr_net_parse(text, &alone, why, why_size);

    if (!bare)
        return addr_parse(text, false, out, 1, why, why_size) > 0;
    *out = alone.addr;
    if (out->to.any.sa_family == AF_INET)
        out->to.ip4.sin_port = htons(CLIENT_PORT);
    else if (out->to.any.sa_family == AF_INET6)
        out->to.ip6.sin6_port = htons(CLIENT_PORT);
    return true;
}

static void make_view(struct trial *t, uint64_t id)
{
    snprintf(t->id, sizeof t->id, "%016llx", (unsigned long long)id);
    t->view = (struct policy_view){
        .id = id,
        .request_id = t->id,
        .arena = &t->arena,
        .settings = &t->settings,
        .request = &t->request,
        .client = &t->client,
        .upstream = t->settings.upstream,
        .max_body = UINT64_MAX,
    };
}

static struct lint_limits limits_of(const struct trial *t)
{
    const struct limits *l = &t->settings.limits;

    return (struct lint_limits){l->request_line, l->head, l->fields};
}

/* As core/proxy/client.c takes a head off its input: what is behind it is another request. */
static struct fault read_head(struct trial *t, struct slice head)
{
    struct lint_limits limits = limits_of(t);
    struct fault fault = fault_none();
    size_t scanned = 0, end = 0;
    bool disagreed = false;

    switch (lint_find_end(head, &scanned, true, &limits, &end, &fault)) {
    case LINT_MORE:
        return fault_of(400, "the head does not end");
    case LINT_BAD:
        return fault;
    case LINT_COMPLETE:
        break;
    }
    struct slice bytes = arena_copy(&t->arena, slice_of(head.at, end));
    if (bytes.at == NULL)
        return fault_of(500, "no memory for a request head");
    fault = request_read(&t->request, &t->arena, bytes, &limits, &disagreed);
    trace_take_request_id(&t->request.head, settings_trusts(&t->settings, &t->client), t->id);
    return fault;
}

bool trial_begin(struct trial *t, struct slice head, struct slice client, struct fault *fault,
                 char *why, size_t why_size)
{
    uint64_t id = t->view.id + 1;

    t->policy->ops->forget(t->policy, &t->view);
    arena_reset(&t->arena);
    buf_clear(&t->log);
    if (!read_client(&t->client, client, why, why_size))
        return false;
    make_view(t, id);
    *fault = read_head(t, head);
    return true;
}

struct fault trial_respond(struct trial *t, struct slice head)
{
    struct lint_limits limits = limits_of(t);
    bool disagreed = false;

    limits.start_line = limits.head;
    struct slice bytes = arena_copy(&t->arena, head);
    if (bytes.at == NULL)
        return fault_of(502, "no memory for a response");
    struct fault fault =
        response_read(&t->response, &t->arena, bytes, t->request.is_head, &limits, &disagreed);
    if (!fault_is(fault))
        t->view.response = &t->response;
    return fault;
}

static void on_answered(struct policy_call *call)
{
    (void)call; /* wait_for looks at call->waiting */
}

/* The clock of a hook that waits counts what was slept, and what passes really, so that a hook
 * which sleeps for nothing again and again comes to its end as well. */
static void wait_for(struct trial *t, const struct engine *e, double slept, double began)
{
    while (t->call.waiting != NULL) {
        double passed = e->skipped - slept + sys_monotonic() - began;
        if (passed > t->settings.timeouts.hook) {
            t->policy->ops->cancel(t->policy, &t->call);
            t->call.verdict = (struct verdict){.kind = VERDICT_FAILED};
            log_error("%s: the %s hook failed: it waited longer than %g s "
                      "(timeouts.hook); %s",
                      t->id, policy_hook_name(t->call.hook), t->settings.timeouts.hook,
                      policy_after_failure(t->call.hook, t->settings.on_error_default));
            return;
        }
        ev_run(t->loop, EVRUN_ONCE);
    }
}

const struct verdict *trial_ask(struct trial *t, enum policy_hook hook)
{
    const struct engine *e = LIST_OWNER(t->policy, struct engine, policy);
    double slept = e->skipped;

    buf_clear(&t->log);
    t->call = (struct policy_call){.hook = hook, .view = &t->view, .done = on_answered};
    if (policy_has(t->policy, hook)) {
        log_divert(take_line, &t->log);
        if (!t->policy->ops->ask(t->policy, &t->call))
            wait_for(t, e, slept, sys_monotonic());
        log_divert(NULL, NULL);
    }
    t->waited = e->skipped - slept;
    return &t->call.verdict;
}
