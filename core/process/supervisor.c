/*
 * supervisor: the parent's life from the first load to the exit. Owns the loop, the signals, the
 * current generation and the exit status; reload and crew do the work.
 */
#include "process/supervisor.h"

#include "base/log.h"
#include "process/crew.h"
#include "process/harden.h"
#include "process/heartbeat.h"
#include "process/reload.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SUPERVISOR_SIGNALS 4

enum phase { PHASE_LOADING, PHASE_STARTING, PHASE_RUNNING, PHASE_ENDING };

struct supervisor {
    const struct cli *cli;
    struct ev_loop *loop;
    enum phase phase;
    bool reload_wanted; /* SIGHUP came before there was anything to reload */
    bool over;
    int status;
    struct crew_generation current;
    struct crew crew;
    struct heartbeat heartbeat;
    struct reload reload;
    struct loader loader;
    struct ev_signal signals[SUPERVISOR_SIGNALS];
};

static void end(struct supervisor *s)
{
    s->phase = PHASE_ENDING;
    s->over = true;
    ev_break(s->loop, EVBREAK_ALL);
}

/* Before the crew exists; after that see on_failed. */
static void give_up(struct supervisor *s)
{
    s->status = EXIT_FAILURE;
    end(s);
}

static void log_ready(const struct supervisor *s)
{
    struct buf line;
    char text[ADDR_TEXT_MAX];
    const struct ports *ports = &s->current.ports;
    buf_init(&line, 8192);
    for (size_t i = 0; i < ports->count; i++)
        buf_printf(&line, "%s%s", i > 0 ? ", " : "", addr_text(&ports->port[i].bound, text));
    log_info("interim %s ready: listening on %.*s, %u worker%s, %s%s", INTERIM_VERSION,
             SLICE_ARG(buf_slice(&line)), s->crew.size, s->crew.size == 1 ? "" : "s",
             s->cli->policy != NULL ? "policy " : "no policy",
             s->cli->policy != NULL ? s->cli->policy : "");
    buf_free(&line);
}

static void on_ready(void *arg)
{
    struct supervisor *s = arg;
    s->phase = PHASE_RUNNING;
    log_ready(s);
    if (s->reload_wanted)
        reload_request(&s->reload);
}

static void on_failed(void *arg, const char *why)
{
    struct supervisor *s = arg;
    log_error("cannot start: %s; exiting", why);
    s->status = EXIT_FAILURE;
    s->phase = PHASE_ENDING;
    crew_stop(&s->crew);
}

static void on_answer(void *arg, struct crew_worker *worker, const struct control_message *message)
{
    struct supervisor *s = arg;
    reload_answer(&s->reload, worker, message);
}

static void on_died(void *arg, struct crew_worker *worker)
{
    struct supervisor *s = arg;
    reload_died(&s->reload, worker);
}

static void on_empty(void *arg)
{
    end(arg);
}

static const struct crew_events crew_events = {
    .ready = on_ready,
    .failed = on_failed,
    .answer = on_answer,
    .died = on_died,
    .empty = on_empty,
};

/* The first generation is whole: bind, then fork. */
static void start(struct supervisor *s)
{
    char why[512];
    const struct settings *settings = config_settings(&s->current.config);
    s->current.number = 1;
    if (!ports_open(&s->current.ports, settings, NULL, why, sizeof why)) {
        log_error("%s; exiting", why);
        give_up(s);
        return;
    }
    s->phase = PHASE_STARTING;
    crew_resize(&s->crew, config_workers(&s->current.config));
}

static void print_errors(struct slice errors)
{
    fprintf(stderr, "%.*s\n", SLICE_ARG(errors));
}

static void on_loaded(void *arg, struct config *config, struct slice errors)
{
    struct supervisor *s = arg;
    if (config == NULL) {
        print_errors(errors);
        give_up(s);
        return;
    }
    s->current.config = *config;
    start(s);
}

static bool load_flags(struct supervisor *s)
{
    static struct settings settings;
    char why[256];
    if (!config_from_cli(&settings, s->cli, why, sizeof why) ||
        !harden_check_user(settings.user, why, sizeof why)) {
        fprintf(stderr, "interim: %s\n", why);
        return false;
    }
    int fd = config_create();
    if (fd < 0 || !config_write(fd, &settings, false, SLICE(""), 0) || !config_seal(fd) ||
        !config_open(&s->current.config, fd, why, sizeof why)) {
        log_error("cannot make the configuration's memory file; exiting");
        return false;
    }
    return true;
}

static void load(struct supervisor *s)
{
    char why[256];
    if (s->cli->policy != NULL) {
        if (loader_start(&s->loader, why, sizeof why))
            return;
        log_error("%s; exiting", why);
        give_up(s);
    } else if (load_flags(s)) {
        start(s);
    } else {
        give_up(s);
    }
}

static void stop(struct supervisor *s, bool at_once)
{
    if (s->phase == PHASE_LOADING) {
        loader_cancel(&s->loader);
        end(s);
        return;
    }
    double seconds = config_settings(&s->current.config)->drain;
    bool hurried = at_once || s->phase == PHASE_ENDING;
    s->phase = PHASE_ENDING;
    reload_cancel(&s->reload);
    /* From here on new clients are refused by the kernel, not left to wait in a queue. */
    ports_close_except(&s->current.ports, NULL);
    if (hurried) {
        log_info("stopping at once");
        crew_stop(&s->crew);
    } else {
        log_info("draining: what is under way has %g seconds to finish", seconds);
        crew_drain(&s->crew, seconds);
    }
}

static void log_stats(const struct supervisor *s)
{
    struct stats sum;
    struct buf line;
    buf_init(&line, 8192);
    crew_sum(&s->crew, &sum);
    if (stats_write_json(&line, &sum)) {
        struct slice json = buf_slice(&line);
        log_info("stats %.*s,\"generation\":%llu,\"workers\":%u}", (int)json.len - 1, json.at,
                 (unsigned long long)s->current.number, crew_count(&s->crew));
    }
    buf_free(&line);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *signal, int events)
{
    struct supervisor *s = signal->data;
    (void)loop;
    (void)events;
    switch (signal->signum) {
    case SIGHUP:
        if (s->phase == PHASE_RUNNING)
            reload_request(&s->reload);
        else
            s->reload_wanted = true;
        break;
    case SIGUSR1:
        log_stats(s);
        break;
    default:
        stop(s, signal->signum == SIGINT);
    }
}

static void watch_signals(struct supervisor *s)
{
    static const int watched[SUPERVISOR_SIGNALS] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SUPERVISOR_SIGNALS; i++) {
        ev_signal_init(&s->signals[i], on_signal, watched[i]);
        s->signals[i].data = s;
        ev_signal_start(s->loop, &s->signals[i]);
    }
}

static struct ev_loop *open_loop(void)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    if (loop == NULL)
        log_error("cannot make an event loop; exiting");
    return loop;
}

static void clean_up(struct supervisor *s)
{
    sigset_t all;
    sigfillset(&all);
    /* What was asked for is done: one more signal must not turn it into a death by signal. */
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (size_t i = 0; i < SUPERVISOR_SIGNALS; i++)
        ev_signal_stop(s->loop, &s->signals[i]);
    heartbeat_stop(&s->heartbeat);
    ports_close_except(&s->current.ports, NULL);
    config_close(&s->current.config);
    ev_loop_destroy(s->loop);
}

int supervisor_run(const struct cli *cli)
{
    static struct supervisor s;
    log_open("parent", cli->log_level);
    harden_raise_descriptors();
    s.cli = cli;
    s.current.config = CONFIG_NONE;
    s.loop = open_loop();
    if (s.loop == NULL)
        return EXIT_FAILURE;
    if (!crew_init(&s.crew, s.loop, &s.current, cli->log_level, &crew_events, &s)) {
        log_error("no memory for the workers' counters; exiting");
        return EXIT_FAILURE;
    }
    heartbeat_start(&s.heartbeat, &s.crew);
    reload_init(&s.reload, s.loop, cli, &s.crew, &s.current);
    loader_init(&s.loader, s.loop, cli, on_loaded, &s);
    watch_signals(&s);
    load(&s);
    /* Whatever failed before the loop ran could not break it. */
    if (!s.over)
        ev_run(s.loop, 0);
    clean_up(&s);
    if (s.status == EXIT_SUCCESS)
        log_info("stopped");
    return s.status;
}
