/*
 * reload: carries out a reload. Owns the next generation until it is the current one, and then the
 * previous one until no worker uses its ports. Promises that it ends: every phase has a time limit.
 */
#include "process/reload.h"

#include "base/log.h"
#include "base/sys.h"
#include "process/descriptors.h"
#include "process/harden.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RELOAD_TEXT_MAX 4096

static void finish(struct reload *r, bool ok, const char *text)
{
    r->phase = RELOAD_IDLE;
    r->last_ok = ok;
    *(ok ? &r->succeeded : &r->failed) += 1;
    r->last_end = sys_realtime();
    ev_timer_stop(r->loop, &r->timer);
    crew_release(r->crew);
    r->over(r->arg, ok, text);
    if (r->again) {
        r->again = false;
        reload_request(r);
    }
}

/* `why` is one line or more, of which the first goes into the sentence. */
static void fail(struct reload *r, struct slice why)
{
    char text[RELOAD_TEXT_MAX];
    size_t first = slice_find(why, '\n');
    for (struct slice rest = slice_skip(why, first + 1); rest.len > 0;) {
        size_t n = slice_find(rest, '\n');
        log_error("%.*s", (int)n, rest.at);
        rest = slice_skip(rest, n + 1);
    }
    int used = snprintf(text, sizeof text, "reload failed: %.*s; keeping policy generation %llu",
                        (int)first, why.at, (unsigned long long)r->current->number);
    log_error("%s", text);
    if (first < why.len && used < (int)sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, "%.*s",
                 SLICE_ARG(slice_skip(why, first)));
    finish(r, false, text);
}

/* True while a worker's answer is due. */
static bool waits(const struct reload *r)
{
    for (unsigned i = 0; i < CREW_MAX; i++) {
        if (r->crew->workers[i].asked)
            return true;
    }
    return false;
}

static void start_timer(struct reload *r)
{
    ev_timer_stop(r->loop, &r->timer);
    ev_timer_set(&r->timer, RELOAD_SECONDS, 0);
    ev_timer_start(r->loop, &r->timer);
}

static void tell_all(struct reload *r, const struct control_message *message)
{
    for (unsigned i = 0; i < CREW_MAX; i++) {
        struct crew_worker *worker = &r->crew->workers[i];
        if (!crew_has(worker))
            continue;
        worker->asked = message->kind != CONTROL_ABORT;
        crew_tell(worker, message);
    }
    start_timer(r);
}

static void drop_next(struct reload *r)
{
    ports_close_except(&r->next.ports, &r->current->ports);
    ports_close_except(&r->next.admin, &r->current->admin);
    config_close(&r->next.config);
}

static void abandon(struct reload *r, const char *why)
{
    struct control_message abort = {.kind = CONTROL_ABORT, .serial = r->serial};
    for (unsigned i = 0; i < CREW_MAX; i++)
        r->crew->workers[i].asked = false;
    tell_all(r, &abort);
    drop_next(r);
    fail(r, slice_of_string(why));
}

static void check_committed(struct reload *r)
{
    char text[64];
    if (waits(r))
        return;
    drop_next(r);
    snprintf(text, sizeof text, "reloaded: policy generation %llu",
             (unsigned long long)r->current->number);
    log_info("%s", text);
    descriptors_check(config_settings(&r->current->config));
    crew_resize(r->crew, config_settings(&r->current->config)->workers);
    finish(r, true, text);
}

static void commit(struct reload *r)
{
    struct control_message message = {.kind = CONTROL_COMMIT, .serial = r->serial};
    struct crew_generation old = *r->current;
    *r->current = r->next;
    r->next = old;
    r->phase = RELOAD_COMMITTING;
    tell_all(r, &message);
    /* Whoever is forked from now on has the new generation. */
    crew_release(r->crew);
    check_committed(r);
}

static void tell_next(struct reload *r, struct crew_worker *worker)
{
    struct control_message message = {
        .kind = CONTROL_PREPARE, .serial = r->serial, .generation = r->next.number};
    message.fds[message.fd_count++] = r->next.config.fd;
    for (size_t i = 0; i < r->next.ports.count; i++) {
        const struct port *port = &r->next.ports.port[i];
        message.ports[i] = port->id;
        message.fresh[i] = !ports_has(&r->current->ports, port->id);
        if (message.fresh[i])
            message.fds[message.fd_count++] = port->fd;
    }
    message.port_count = r->next.ports.count;
    worker->asked = true;
    crew_tell(worker, &message);
    start_timer(r);
}

/* One worker after another: who loads a policy serves nobody meanwhile. */
static void check_prepared(struct reload *r)
{
    while (!waits(r) && r->told < CREW_MAX) {
        struct crew_worker *worker = &r->crew->workers[r->told++];
        if (crew_has(worker))
            tell_next(r, worker);
    }
    if (!waits(r))
        commit(r);
}

static void prepare(struct reload *r)
{
    r->serial++;
    r->told = 0;
    r->phase = RELOAD_PREPARING;
    crew_hold(r->crew);
    check_prepared(r);
}

/* Workers have given up the rights to become anyone else. */
static bool keeps_user(const struct reload *r, const struct config *config)
{
    return harden_same_user(config_settings(config)->user,
                            config_settings(&r->current->config)->user);
}

/* Nor can they get back the right to make code. */
static bool keeps_jit(const struct reload *r, const struct config *config)
{
    return !config_settings(config)->jit || config_settings(&r->current->config)->jit;
}

static void on_loaded(void *arg, struct config *config, struct slice errors)
{
    struct reload *r = arg;
    char why[512];
    if (config == NULL) {
        fail(r, errors);
        return;
    }
    if (!keeps_user(r, config)) {
        config_close(config);
        fail(r, SLICE("user: cannot change while running: stop and start instead"));
        return;
    }
    if (!keeps_jit(r, config)) {
        config_close(config);
        fail(r, SLICE("jit: cannot be turned on while running: stop and start instead"));
        return;
    }
    r->next = (struct crew_generation){.number = r->current->number + 1, .config = *config};
    if (!crew_open_ports(&r->next, &r->current->ports, &r->current->admin, why, sizeof why)) {
        config_close(&r->next.config);
        fail(r, slice_of_string(why));
        return;
    }
    prepare(r);
}

/* Their loops stand still: whatever held them up, they serve nobody. */
static void kill_silent(struct reload *r)
{
    for (unsigned i = 0; i < CREW_MAX; i++) {
        struct crew_worker *worker = &r->crew->workers[i];
        if (!worker->asked)
            continue;
        log_error("worker %u (pid %d) is silent; killing it", worker->number, (int)worker->pid);
        worker->asked = false;
        crew_kill(worker);
    }
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct reload *r = timer->data;
    (void)loop;
    (void)events;
    kill_silent(r);
    if (r->phase == RELOAD_PREPARING) {
        abandon(r, "not every worker loaded it in time");
    } else {
        assert(r->phase == RELOAD_COMMITTING);
        check_committed(r);
    }
}

void reload_init(struct reload *r, struct ev_loop *loop, const struct cli *cli, struct crew *crew,
                 struct crew_generation *current,
                 void (*over)(void *arg, bool ok, const char *text), void *arg)
{
    *r = (struct reload){.loop = loop,
                         .cli = cli,
                         .crew = crew,
                         .current = current,
                         .next = {.config = CONFIG_NONE},
                         .over = over,
                         .arg = arg};
    loader_init(&r->loader, loop, cli, on_loaded, r);
    ev_init(&r->timer, on_timer);
    r->timer.data = r;
}

void reload_request(struct reload *r)
{
    char why[256];
    if (r->phase != RELOAD_IDLE) {
        r->again = true;
        return;
    }
    r->begun++;
    if (r->cli->policy == NULL) {
        static const char nothing[] = "nothing to reload: started without a policy file; going on "
                                      "as before";
        log_warning("%s", nothing);
        finish(r, false, nothing);
        return;
    }
    log_info("reloading %s", r->cli->policy);
    r->phase = RELOAD_LOADING;
    if (!loader_start(&r->loader, why, sizeof why))
        fail(r, slice_of_string(why));
}

void reload_answer(struct reload *r, struct crew_worker *worker,
                   const struct control_message *message)
{
    char why[CONTROL_TEXT_MAX + 32];
    if (!worker->asked || message->serial != r->serial)
        return;
    if (r->phase == RELOAD_PREPARING && message->kind == CONTROL_FAILED) {
        snprintf(why, sizeof why, "worker %u: %s", worker->number, message->text);
        abandon(r, why);
    } else if (r->phase == RELOAD_PREPARING && message->kind == CONTROL_PREPARED) {
        worker->asked = false;
        check_prepared(r);
    } else if (r->phase == RELOAD_COMMITTING && message->kind == CONTROL_COMMITTED) {
        worker->asked = false;
        check_committed(r);
    }
}

void reload_died(struct reload *r, struct crew_worker *worker)
{
    char why[64];
    if (!worker->asked)
        return;
    worker->asked = false;
    if (r->phase == RELOAD_PREPARING) {
        /* It may have died of the new policy, and so would all that came after it. */
        snprintf(why, sizeof why, "worker %u died while it was loading", worker->number);
        abandon(r, why);
    } else if (r->phase == RELOAD_COMMITTING) {
        check_committed(r);
    }
}

void reload_cancel(struct reload *r)
{
    r->again = false;
    ev_timer_stop(r->loop, &r->timer);
    if (r->phase == RELOAD_LOADING)
        loader_cancel(&r->loader);
    else if (r->phase != RELOAD_IDLE)
        drop_next(r);
    for (unsigned i = 0; i < CREW_MAX; i++)
        r->crew->workers[i].asked = false;
    r->phase = RELOAD_IDLE;
}
