/*
 * supervisor: the parent's life from the first load to the exit. Owns the loop, the signals, the
 * current generation and the exit status; reload and crew do the work.
 */
#include "process/supervisor.h"

#include "base/log.h"
#include "base/output.h"
#include "process/admin.h"
#include "process/child.h"
#include "process/crew.h"
#include "process/descriptors.h"
#include "process/desk.h"
#include "process/filter.h"
#include "process/harden.h"
#include "process/heartbeat.h"
#include "process/inherit.h"
#include "process/notify.h"
#include "process/reload.h"
#include "process/status.h"
#include "process/upgrade.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERVISOR_SIGNALS 5
#define STOP_MARGIN        10 /* seconds beyond `drain` in which all of it is over */

enum phase { PHASE_LOADING, PHASE_STARTING, PHASE_RUNNING, PHASE_ENDING };

struct supervisor {
    const struct cli *cli;
    struct ev_loop *loop;
    enum phase phase;
    bool reload_wanted;  /* SIGHUP came before there was anything to reload, or in an upgrade */
    bool upgrade_wanted; /* SIGUSR2 came in a reload */
    bool handed_over;    /* another parent has the sockets */
    bool deserted;       /* no worker is left */
    bool over;
    int status;
    struct crew_generation current;
    struct crew crew;
    struct heartbeat heartbeat;
    struct reload reload;
    struct admin admin;
    struct upgrade upgrade;
    struct desk desk;
    struct notify notify;
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
static void give_up(struct supervisor *s, int status)
{
    s->status = status;
    end(s);
}

static void begin_reload(struct supervisor *s)
{
    if (s->reload.phase == RELOAD_IDLE)
        notify_reloading(&s->notify);
    reload_request(&s->reload);
}

static void refuse_upgrade(struct supervisor *s, const char *why)
{
    char text[512];
    snprintf(text, sizeof text, "upgrade failed: %s; going on as before", why);
    log_error("%s", text);
    desk_tell_all(&s->desk, CLI_UPGRADE, 0, false, text);
}

/* One thing at a time: a reload and an upgrade would not agree about the sockets. */
static void go_on(struct supervisor *s)
{
    char why[256];
    if (s->phase != PHASE_RUNNING || s->upgrade.pid != 0 || s->reload.phase != RELOAD_IDLE)
        return;
    if (s->reload_wanted) {
        s->reload_wanted = false;
        begin_reload(s);
    } else if (s->upgrade_wanted) {
        s->upgrade_wanted = false;
        log_info("upgrading: starting %s anew", s->cli->argv[0]);
        if (!upgrade_start(&s->upgrade, s->cli->argv, &s->current.ports, &s->current.admin, why,
                           sizeof why))
            refuse_upgrade(s, why);
    }
}

static void on_ready(void *arg)
{
    struct supervisor *s = arg;
    s->phase = PHASE_RUNNING;
    if (s->admin.pid == 0)
        admin_start(&s->admin);
    status_log_ready(s->cli, &s->crew);
    s->handed_over = !inherit_done(&s->current.ports, &s->current.admin);
    if (!s->handed_over)
        status_notify(&s->notify, &s->crew, "");
    go_on(s);
}

static void on_failed(void *arg, const char *why)
{
    struct supervisor *s = arg;
    log_error("cannot start: %s; exiting", why);
    inherit_failed(why);
    s->status = EXIT_FAILURE;
    s->phase = PHASE_ENDING;
    crew_stop(&s->crew);
}

static void on_answer(void *arg, struct crew_worker *worker, const struct control_message *message)
{
    struct supervisor *s = arg;
    if (message->kind == CONTROL_LISTED)
        admin_listed(&s->admin, message);
    else
        reload_answer(&s->reload, worker, message);
}

static void on_died(void *arg, struct crew_worker *worker)
{
    struct supervisor *s = arg;
    reload_died(&s->reload, worker);
}

/* Who was to take over may have sockets of its own to take along. */
static void end_when_alone(struct supervisor *s)
{
    if (s->phase == PHASE_ENDING && s->deserted && s->upgrade.pid == 0)
        end(s);
}

static void on_empty(void *arg)
{
    struct supervisor *s = arg;
    s->deserted = true;
    end_when_alone(s);
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
    struct ports inherited, admin;
    s->current.number = 1;
    if (!inherit_ports(&inherited, &admin, settings, why, sizeof why) ||
        !crew_open_ports(&s->current, &inherited, &admin, why, sizeof why)) {
        log_error("%s; exiting", why);
        inherit_failed(why);
        give_up(s, EXIT_FAILURE);
        return;
    }
    if (settings->allow != 0)
        log_warning(
            "--allow: nothing contains the policy any more, and its workers run without the "
            "filter of system calls");
    descriptors_check(settings);
    s->phase = PHASE_STARTING;
    crew_resize(&s->crew, config_settings(&s->current.config)->workers);
    /* An older interim still answers on one that was inherited, and it is ready. */
    if (admin.count == 0)
        admin_start(&s->admin);
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
        give_up(s, EXIT_FAILURE);
        return;
    }
    s->current.config = *config;
    start(s);
}

/* The exit status, if it is not EXIT_SUCCESS. */
static int load_flags(struct supervisor *s)
{
    static struct settings settings;
    char why[256];
    bool meant = config_from_cli(&settings, s->cli, why, sizeof why);
    if (!meant || !harden_check_user(settings.user, why, sizeof why)) {
        fprintf(stderr, "interim: %s\n", why);
        return meant ? EXIT_FAILURE : EXIT_USAGE;
    }
    int fd = config_create();
    if (fd < 0 || !config_write(fd, &settings, false, SLICE(""), 0) || !config_seal(fd) ||
        !config_open(&s->current.config, fd, why, sizeof why)) {
        log_error("cannot make the configuration's memory file: %s; exiting", strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void load(struct supervisor *s)
{
    char why[256];
    if (s->cli->policy != NULL) {
        if (loader_start(&s->loader, why, sizeof why))
            return;
        log_error("%s; exiting", why);
        give_up(s, EXIT_FAILURE);
        return;
    }
    int status = load_flags(s);
    if (status == EXIT_SUCCESS)
        start(s);
    else
        give_up(s, status);
}

static void give_up_upgrade(struct supervisor *s, double seconds)
{
    static const char text[] = "upgrade given up: stopping";
    if (s->upgrade.pid != 0 && s->phase != PHASE_ENDING) {
        log_warning("%s", text);
        desk_tell_all(&s->desk, CLI_UPGRADE, 0, false, text);
    }
    upgrade_cancel(&s->upgrade, seconds);
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
    /* A program that never took over is none whose end matters to a service manager. */
    bool announced = s->phase == PHASE_RUNNING && !s->handed_over;
    give_up_upgrade(s, hurried ? 0 : seconds);
    s->phase = PHASE_ENDING;
    reload_cancel(&s->reload);
    desk_close(&s->desk);
    /* The policy says how long draining may take, not the unit with its TimeoutStopSec=. */
    if (announced)
        notify_send(&s->notify, "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=%.0f",
                    hurried ? 0 : (seconds + STOP_MARGIN) * 1e6);
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

static void on_reloaded(void *arg, bool ok, const char *text)
{
    struct supervisor *s = arg;
    status_notify(&s->notify, &s->crew, ok ? "" : text);
    if (ok)
        admin_start(&s->admin);
    desk_tell_all(&s->desk, CLI_RELOAD, s->reload.begun, ok, text);
    if (!s->reload.again)
        go_on(s);
}

static void on_upgraded(void *arg, pid_t pid, const char *why)
{
    struct supervisor *s = arg;
    char text[128];
    if (pid == 0 && s->phase == PHASE_ENDING) {
        end_when_alone(s);
        return;
    }
    if (pid == 0) {
        refuse_upgrade(s, why);
        go_on(s);
        return;
    }
    snprintf(text, sizeof text, "upgraded: process %d has taken over", (int)pid);
    log_info("%s; this one drains", text);
    desk_tell_all(&s->desk, CLI_UPGRADE, 0, true, text);
    notify_send(&s->notify, "MAINPID=%d", (int)pid);
    s->handed_over = true;
    ports_lend(&s->current.ports);
    ports_lend(&s->current.admin);
    admin_stop(&s->admin);
    if (s->reload_wanted) {
        kill(pid, SIGHUP);
        snprintf(text, sizeof text, "process %d has taken over, and is to reload", (int)pid);
        desk_tell_all(&s->desk, CLI_RELOAD, UINT64_MAX, false, text);
    }
    stop(s, false);
}

static void want_reload(struct supervisor *s)
{
    if (s->phase == PHASE_RUNNING && s->upgrade.pid == 0) {
        begin_reload(s);
    } else {
        s->reload_wanted = true;
    }
}

/* Counted before it is begun: it may be over at once. */
static void on_asked(void *arg, struct desk_visitor *visitor)
{
    struct supervisor *s = arg;
    if (s->phase == PHASE_ENDING) {
        desk_tell(visitor, false, "it is stopping");
    } else if (visitor->wish == CLI_STATUS && s->phase == PHASE_LOADING) {
        desk_tell(visitor, false, "it is starting, and has not read its policy yet; try again");
    } else if (visitor->wish == CLI_STATUS) {
        admin_tell(&s->admin, visitor);
    } else if (visitor->wish == CLI_RELOAD) {
        visitor->turn = s->reload.begun + 1;
        want_reload(s);
    } else {
        visitor->turn = 0;
        s->upgrade_wanted = true;
        go_on(s);
    }
}

static void on_signal(struct ev_loop *loop, struct ev_signal *signal, int events)
{
    struct supervisor *s = signal->data;
    (void)loop;
    (void)events;
    if (s->phase == PHASE_ENDING && (signal->signum == SIGHUP || signal->signum == SIGUSR2)) {
        log_warning("stopping: %s comes too late",
                    signal->signum == SIGHUP ? "a reload" : "an upgrade");
        return;
    }
    switch (signal->signum) {
    case SIGHUP:
        want_reload(s);
        break;
    case SIGUSR2:
        s->upgrade_wanted = true;
        go_on(s);
        break;
    case SIGUSR1:
        status_log_stats(&s->crew, &s->reload);
        break;
    default:
        stop(s, signal->signum == SIGINT);
    }
}

static void watch_signals(struct supervisor *s)
{
    static const int watched[SUPERVISOR_SIGNALS] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    child_ignore_outputs();
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
    admin_stop(&s->admin);
    desk_close(&s->desk);
    notify_close(&s->notify);
    ports_close_except(&s->current.ports, NULL);
    ports_close_except(&s->current.admin, NULL);
    config_close(&s->current.config);
    ev_loop_destroy(s->loop);
}

int supervisor_run(const struct cli *cli)
{
    static struct supervisor s;
    output_own();
    log_open("parent", cli->log_level);
    descriptors_raise();
    filter_warm();
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
    reload_init(&s.reload, s.loop, cli, &s.crew, &s.current, on_reloaded, &s);
    if (!admin_init(&s.admin, &s.crew, &s.reload)) {
        log_error("no memory for the admin listener's board; exiting");
        return EXIT_FAILURE;
    }
    upgrade_init(&s.upgrade, s.loop, on_upgraded, &s);
    notify_open(&s.notify, s.loop);
    if (!desk_open(&s.desk, s.loop, on_asked, &s))
        log_warning("no socket for `interim reload` and `interim upgrade`: %s; signals work",
                    strerror(errno));
    loader_init(&s.loader, s.loop, cli, on_loaded, &s);
    watch_signals(&s);
    load(&s);
    /* Whatever failed before the loop ran could not break it. */
    if (!s.over)
        ev_run(s.loop, 0);
    clean_up(&s);
    status_log_lost(&s.crew);
    if (s.status == EXIT_SUCCESS)
        log_info("stopped");
    return s.status;
}
