/*
 * worker: the loop of one worker process. Owns the proxy, the ports as this process holds them and
 * the generations it has mapped; each of those is freed when its last exchange is over. From here a
 * request goes to the proxy layer.
 */
#include "process/worker.h"

#include "base/sys.h"
#include "process/child.h"
#include "process/control.h"
#include "process/descriptors.h"
#include "process/harden.h"
#include "proxy/engine.h"
#include "proxy/proxy.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_ERRORS_MAX 4096

struct generation {
    uint64_t number;
    struct config config;
    struct policy *policy; /* NULL: none, or the proxy's */
};

struct worker {
    struct worker_start start;
    struct ev_loop *loop;
    struct proxy *proxy;
    /* While a reload is under way: what PREPARE brought. */
    struct generation *prepared;
    struct ports next_ports;
    uint32_t serial;
    struct ev_io control;
    struct ev_timer deadline; /* of draining */
};

static void generation_free(void *arg)
{
    struct generation *g = arg;
    if (g->policy != NULL)
        g->policy->ops->free(g->policy);
    config_close(&g->config);
    sys_free(g);
}

/* The proxy has freed the policy. */
static void generation_gone(void *arg)
{
    struct generation *g = arg;
    log_debug("policy generation %llu: its last exchange is over; freed",
              (unsigned long long)g->number);
    g->policy = NULL;
    generation_free(g);
}

/* Takes the configuration over, also when it fails: NULL with a message. */
static struct generation *generation_load(struct worker *w, uint64_t number, struct config config,
                                          char *why, size_t why_size)
{
    struct generation *g = sys_calloc(1, sizeof *g);
    if (g == NULL) {
        config_close(&config);
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    g->number = number;
    g->config = config;
    config_close_fd(&g->config);
    if (!config_has_policy(&config))
        return g;
    struct buf errors;
    buf_init(&errors, WORKER_ERRORS_MAX);
    pulse_enter_loading();
    g->policy =
        policy_engine.load(config_bundle(&config), config_settings(&config), w->loop, &errors);
    pulse_leave();
    if (g->policy == NULL) {
        struct slice text = buf_slice(&errors);
        if (slice_ends(text, SLICE("\n")))
            text.len--;
        snprintf(why, why_size, "%.*s", SLICE_ARG(text));
        generation_free(g);
        g = NULL;
    }
    buf_free(&errors);
    return g;
}

/* The end, after a normal life: what is buffered is flushed and all memory given back. */
static _Noreturn void leave(struct worker *w)
{
    ev_io_stop(w->loop, &w->control);
    ev_timer_stop(w->loop, &w->deadline);
    if (w->prepared != NULL)
        generation_free(w->prepared);
    proxy_free(w->proxy);
    ev_loop_destroy(w->loop);
    exit(EXIT_SUCCESS);
}

static void send_or_leave(struct worker *w, const struct control_message *message)
{
    if (!control_send(w->start.control, message))
        leave(w);
}

static void answer(struct worker *w, enum control_kind kind, const char *text)
{
    struct control_message message = {.kind = kind, .serial = w->serial};
    snprintf(message.text, sizeof message.text, "%s", text);
    send_or_leave(w, &message);
}

static _Noreturn void refuse_to_start(const struct worker_start *start, const char *why)
{
    struct control_message message = {.kind = CONTROL_FAILED};
    snprintf(message.text, sizeof message.text, "%s", why);
    control_send(start->control, &message);
    exit(EXIT_FAILURE);
}

/* Only what is fresh has come with the message; the rest this process has had all along. */
static bool gather_ports(struct worker *w, const struct control_message *message)
{
    size_t next = 1;
    const struct ports *old = &w->start.ports;
    w->next_ports = (struct ports){.count = 0};
    for (size_t i = 0; i < message->port_count; i++) {
        struct port port = {.id = message->ports[i], .fd = -1};
        for (size_t j = 0; j < old->count; j++) {
            if (old->port[j].id == port.id)
                port = old->port[j];
        }
        if (message->fresh[i] && next < message->fd_count)
            port.fd = message->fds[next++];
        if (port.fd < 0)
            return false;
        w->next_ports.port[w->next_ports.count++] = port;
    }
    return true;
}

/* Closes this process's descriptors of those in `ports` that `kept` lacks. Unlike the parent's
 * ports_close_except it leaves the paths of unix sockets alone. */
static void close_ports(const struct ports *ports, const struct ports *kept)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (!ports_has(kept, ports->port[i].id))
            sys_close(ports->port[i].fd);
    }
}

static void forget_prepared(struct worker *w)
{
    if (w->prepared == NULL)
        return;
    generation_free(w->prepared);
    w->prepared = NULL;
    close_ports(&w->next_ports, &w->start.ports);
}

static void prepare(struct worker *w, struct control_message *message)
{
    char why[CONTROL_TEXT_MAX];
    struct config config = CONFIG_NONE;
    forget_prepared(w);
    w->serial = message->serial;
    if (message->fd_count == 0 || !gather_ports(w, message)) {
        control_drop_fds(message);
        answer(w, CONTROL_FAILED, "no descriptors left to take the new configuration");
        return;
    }
    if (config_open(&config, message->fds[0], why, sizeof why))
        w->prepared = generation_load(w, message->generation, config, why, sizeof why);
    else
        sys_close(message->fds[0]);
    if (w->prepared == NULL) {
        close_ports(&w->next_ports, &w->start.ports);
        answer(w, CONTROL_FAILED, why);
        return;
    }
    answer(w, CONTROL_PREPARED, "");
}

static bool use(struct worker *w, struct generation *g)
{
    struct policy *policy = g->policy;
    const struct settings *settings = config_settings(&g->config);
    g->policy = NULL;
    if (proxy_use(w->proxy, settings, policy, g->number, generation_gone, g)) {
        pulse_time_hooks(settings->admin.len > 0 ? w->start.stats->hooks : NULL);
        return true;
    }
    g->policy = policy;
    return false;
}

/* Once it has promised to switch, a worker that cannot has to go: its successor starts with the
 * new generation. */
static _Noreturn void break_promise(void)
{
    log_error("out of memory while switching to a new policy; this worker ends");
    exit(EXIT_FAILURE);
}

static void commit(struct worker *w, uint32_t serial)
{
    if (w->prepared == NULL || serial != w->serial)
        return;
    struct ports old = w->start.ports;
    if (!use(w, w->prepared))
        break_promise();
    w->prepared = NULL;
    w->start.ports = w->next_ports;
    for (size_t i = 0; i < w->start.ports.count; i++) {
        const struct port *port = &w->start.ports.port[i];
        if (!ports_has(&old, port->id) && !proxy_listen(w->proxy, port->fd))
            break_promise();
    }
    for (size_t i = 0; i < old.count; i++) {
        if (!ports_has(&w->start.ports, old.port[i].id))
            proxy_unlisten(w->proxy, old.port[i].fd);
    }
    close_ports(&old, &w->start.ports);
    answer(w, CONTROL_COMMITTED, "");
}

/* Called by the proxy, which must not be freed under its own feet: worker_run goes on to leave. */
static void on_drained(void *arg)
{
    struct worker *w = arg;
    ev_break(w->loop, EVBREAK_ALL);
}

static void on_deadline(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    log_warning("still busy at the end of the drain time; closing what is left");
    leave(timer->data);
}

static void drain(struct worker *w, double seconds)
{
    if (ev_is_active(&w->deadline)) {
        if (seconds < ev_timer_remaining(w->loop, &w->deadline)) {
            ev_timer_stop(w->loop, &w->deadline);
            ev_timer_set(&w->deadline, seconds, 0);
            ev_timer_start(w->loop, &w->deadline);
        }
        return;
    }
    forget_prepared(w);
    for (size_t i = 0; i < w->start.ports.count; i++) {
        proxy_unlisten(w->proxy, w->start.ports.port[i].fd);
        sys_close(w->start.ports.port[i].fd);
    }
    w->start.ports.count = 0;
    ev_timer_init(&w->deadline, on_deadline, seconds, 0);
    ev_timer_start(w->loop, &w->deadline);
    proxy_drain(w->proxy, on_drained, w);
}

static void list_clients(struct worker *w, uint32_t serial)
{
    const struct control_message done = {.kind = CONTROL_LISTED, .serial = serial};
    proxy_list_clients(w->proxy, w->start.listing, serial);
    send_or_leave(w, &done);
}

static void obey(struct worker *w, struct control_message *message)
{
    switch (message->kind) {
    case CONTROL_PREPARE:
        prepare(w, message);
        break;
    case CONTROL_COMMIT:
        commit(w, message->serial);
        break;
    case CONTROL_ABORT:
        forget_prepared(w);
        break;
    case CONTROL_DRAIN:
        drain(w, message->seconds);
        break;
    case CONTROL_LIST:
        list_clients(w, message->serial);
        break;
    case CONTROL_STOP:
    case CONTROL_READY:
    case CONTROL_PREPARED:
    case CONTROL_FAILED:
    case CONTROL_COMMITTED:
    case CONTROL_LISTED:
        leave(w);
    }
}

static void on_control(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct worker *w = io->data;
    struct control_message message;
    (void)loop;
    (void)events;
    switch (control_receive(io->fd, &message)) {
    case CONTROL_GOT:
        obey(w, &message);
        break;
    case CONTROL_NOTHING:
        break;
    case CONTROL_GONE:
        leave(w);
    }
}

/* Everything that can fail at the start; on failure the process ends, so nothing is undone. */
static void set_up(struct worker *w)
{
    char why[CONTROL_TEXT_MAX];
    struct worker_start *start = &w->start;
    const struct settings *settings = config_settings(&start->config);
    /* These ask the kernel, which later it may not. */
    size_t most = descriptors_clients(settings);
    size_t pipes = descriptors_pipes();
    if (!harden_worker(settings, why, sizeof why))
        refuse_to_start(start, why);
    w->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    if (w->loop == NULL)
        refuse_to_start(start, "cannot make an event loop");
    pulse_start(start->pulse, w->loop);
    w->proxy = proxy_new(w->loop, start->stats, STDOUT_FILENO, start->number);
    if (w->proxy == NULL)
        refuse_to_start(start, "out of memory");
    proxy_bound(w->proxy, most, pipes);
    struct generation *g = generation_load(w, start->generation, start->config, why, sizeof why);
    if (g == NULL)
        refuse_to_start(start, why);
    if (!use(w, g))
        refuse_to_start(start, "out of memory");
    for (size_t i = 0; i < start->ports.count; i++) {
        if (!proxy_listen(w->proxy, start->ports.port[i].fd))
            refuse_to_start(start, "out of memory");
    }
}

_Noreturn void worker_run(const struct worker_start *start)
{
    static struct worker w;
    char who[32];
    snprintf(who, sizeof who, "worker %u", start->number);
    log_open(who, start->log_level);
    w.start = *start;
    set_up(&w);
    ev_init(&w.deadline, on_deadline);
    w.deadline.data = &w;
    ev_io_init(&w.control, on_control, start->control, EV_READ);
    w.control.data = &w;
    ev_io_start(w.loop, &w.control);
    answer(&w, CONTROL_READY, "");
    ev_run(w.loop, 0);
    leave(&w);
}
