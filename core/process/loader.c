/*
 * loader: makes a generation's configuration out of a policy file. Owns the child that reads it,
 * the memory file while it is written and the pipe that errors come back on. Promises to answer
 * within LOADER_SECONDS whatever the policy does. The result goes to supervisor or reload.
 */
#include "process/loader.h"

#include "base/sys.h"
#include "process/child.h"
#include "process/harden.h"
#include "proxy/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOADER_BUNDLE_MAX (64u << 20)
#define LOADER_ERRORS_MAX (64u << 10)

/* A policy that reads well must also load well: this is what every worker is going to do. */
static bool try_load(struct slice bundle, const struct settings *settings, unsigned *hooks,
                     struct buf *errors)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOTIMERFD);
    struct policy *policy =
        loop != NULL ? policy_engine.load(bundle, settings, loop, errors) : NULL;
    if (policy != NULL) {
        *hooks = policy->hooks;
        policy->ops->free(policy);
    }
    if (loop != NULL)
        ev_loop_destroy(loop);
    return policy != NULL;
}

static bool read_policy(const struct cli *cli, int config_fd, struct buf *errors)
{
    static struct settings settings;
    struct buf bundle;
    unsigned hooks = 0;
    char why[256];
    buf_init(&bundle, LOADER_BUNDLE_MAX);
    settings_default(&settings);
    settings.allow = cli->allow;
    bool ok = policy_engine.read(cli->policy, &settings, &bundle, errors);
    if (ok && cli->workers != 0)
        settings.workers = cli->workers;
    config_settle(&settings);
    if (ok && (!settings_check(&settings, why, sizeof why) ||
               !harden_check_user(settings.user, why, sizeof why))) {
        buf_printf(errors, "%s: %s\n", cli->policy, why);
        ok = false;
    }
    if (ok)
        ok = try_load(buf_slice(&bundle), &settings, &hooks, errors);
    if (ok && !config_write(config_fd, &settings, true, buf_slice(&bundle), hooks)) {
        buf_printf(errors, "%s: cannot hand the policy on: %s\n", cli->policy, strerror(errno));
        ok = false;
    }
    buf_free(&bundle);
    return ok;
}

/* The child. */
static void run(const struct cli *cli, int config_fd, int errors_fd)
{
    struct buf errors;
    log_open("loader", cli->log_level);
    harden_loader();
    buf_init(&errors, LOADER_ERRORS_MAX);
    bool ok = read_policy(cli, config_fd, &errors);
    struct slice text = buf_slice(&errors);
    while (!ok && text.len > 0) {
        ssize_t n = write(errors_fd, text.at, text.len);
        if (n <= 0)
            break;
        text = slice_skip(text, (size_t)n);
    }
    buf_free(&errors);
    exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void forget_child(struct loader *l)
{
    ev_io_stop(l->loop, &l->io);
    ev_child_stop(l->loop, &l->child);
    ev_timer_stop(l->loop, &l->timer);
    if (l->errors_fd >= 0)
        sys_close(l->errors_fd);
    l->errors_fd = -1;
    l->pid = 0;
}

/* Sealed and mapped, or a line in l->errors. Takes config_fd over. */
static bool take_config(struct loader *l, struct config *config)
{
    char why[256];
    bool ok = false;
    if (!config_seal(l->config_fd))
        buf_printf(&l->errors, "%s: cannot seal what was loaded: %s", l->cli->policy,
                   strerror(errno));
    else if (config_open(config, l->config_fd, why, sizeof why))
        ok = true;
    else
        buf_printf(&l->errors, "%s: %s", l->cli->policy, why);
    if (!ok)
        sys_close(l->config_fd);
    l->config_fd = -1;
    return ok;
}

static void explain(struct loader *l)
{
    char text[CHILD_ENDING_MAX];
    if (l->late)
        buf_printf(&l->errors, "%s: still loading after %.0f seconds: ended", l->cli->policy,
                   LOADER_SECONDS);
    else if (buf_len(&l->errors) == 0)
        buf_printf(&l->errors, "%s: the process that loads it %s", l->cli->policy,
                   child_ending(l->status, text));
}

/* Both must have come: the child's end, and the end of what it had to say. */
static void finish(struct loader *l)
{
    struct config config = CONFIG_NONE;
    bool ok = WIFEXITED(l->status) && WEXITSTATUS(l->status) == EXIT_SUCCESS;
    forget_child(l);
    if (ok) {
        ok = take_config(l, &config);
    } else {
        sys_close(l->config_fd);
        l->config_fd = -1;
        explain(l);
    }
    struct buf said = l->errors;
    buf_init(&l->errors, LOADER_ERRORS_MAX);
    struct slice errors = buf_slice(&said);
    while (errors.len > 0 && errors.at[errors.len - 1] == '\n')
        errors.len--;
    /* It may start the next one. */
    l->done(l->arg, ok ? &config : NULL, errors);
    buf_free(&said);
}

static void on_errors(struct ev_loop *loop, struct ev_io *w, int events)
{
    struct loader *l = w->data;
    char bytes[4096];
    (void)events;
    ssize_t n = read(l->errors_fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        buf_append(&l->errors, bytes, (size_t)n);
        return;
    }
    ev_io_stop(loop, w);
    sys_close(l->errors_fd);
    l->errors_fd = -1;
    if (!ev_is_active(&l->child))
        finish(l);
}

static void on_end(struct ev_loop *loop, struct ev_child *w, int events)
{
    struct loader *l = w->data;
    (void)events;
    l->status = w->rstatus;
    ev_child_stop(loop, w);
    ev_timer_stop(loop, &l->timer);
    if (l->errors_fd < 0)
        finish(l);
}

static void on_late(struct ev_loop *loop, struct ev_timer *w, int events)
{
    struct loader *l = w->data;
    (void)loop;
    (void)events;
    l->late = true;
    kill(l->pid, SIGKILL);
}

void loader_init(struct loader *l, struct ev_loop *loop, const struct cli *cli,
                 void (*done)(void *arg, struct config *config, struct slice errors), void *arg)
{
    *l = (struct loader){
        .loop = loop, .cli = cli, .config_fd = -1, .errors_fd = -1, .done = done, .arg = arg};
    buf_init(&l->errors, LOADER_ERRORS_MAX);
    l->io.data = l->child.data = l->timer.data = l;
}

bool loader_start(struct loader *l, char *why, size_t why_size)
{
    int ends[2] = {-1, -1};
    assert(l->pid == 0 && l->cli->policy != NULL);
    l->late = false;
    l->config_fd = config_create();
    if (l->config_fd >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
        l->pid = child_fork((int[]){l->config_fd, ends[1]}, 2);
        if (l->pid == 0)
            run(l->cli, l->config_fd, ends[1]);
    }
    if (ends[1] < 0 || l->pid < 0) {
        snprintf(why, why_size, "cannot start a process to load %s: %s", l->cli->policy,
                 strerror(errno));
        for (int i = 0; i < 2; i++) {
            if (ends[i] >= 0)
                sys_close(ends[i]);
        }
        if (l->config_fd >= 0)
            sys_close(l->config_fd);
        l->config_fd = -1;
        l->pid = 0;
        return false;
    }
    sys_close(ends[1]);
    l->errors_fd = ends[0];
    fcntl(l->errors_fd, F_SETFL, O_NONBLOCK);
    ev_io_init(&l->io, on_errors, l->errors_fd, EV_READ);
    ev_child_init(&l->child, on_end, l->pid, 0);
    ev_timer_init(&l->timer, on_late, LOADER_SECONDS, 0);
    ev_io_start(l->loop, &l->io);
    ev_child_start(l->loop, &l->child);
    ev_timer_start(l->loop, &l->timer);
    return true;
}

void loader_cancel(struct loader *l)
{
    if (l->pid == 0)
        return;
    /* Once its end was seen, the id may be another's. */
    if (ev_is_active(&l->child))
        kill(l->pid, SIGKILL);
    forget_child(l);
    sys_close(l->config_fd);
    l->config_fd = -1;
    buf_clear(&l->errors);
}
