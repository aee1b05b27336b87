/*
 * upgrade: starts the successor and waits for its word. Promises that it ends: the successor is
 * ready within UPGRADE_SECONDS, or is sent away; and that both agree which of the two it was.
 */
#include "process/upgrade.h"

#include "base/sys.h"
#include "process/child.h"
#include "process/inherit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* It takes along the sockets that it made. Only if it cannot, they are left behind. */
static const int partings[] = {SIGTERM, SIGINT, SIGKILL};

static void forget(struct upgrade *u)
{
    ev_io_stop(u->loop, &u->io);
    ev_child_stop(u->loop, &u->child);
    ev_timer_stop(u->loop, &u->timer);
    if (u->fd >= 0)
        sys_close(u->fd);
    u->fd = -1;
    u->pid = 0;
}

/* False: no word has come. */
static bool read_word(struct upgrade *u)
{
    ssize_t got = sys_recv(u->fd, u->why, sizeof u->why - 1);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    u->why[got > 0 ? got : 0] = '\0';
    return true;
}

static bool is_ready(const struct upgrade *u)
{
    return strcmp(u->why, INHERIT_DONE) == 0;
}

static void hand_over(struct upgrade *u)
{
    pid_t pid = u->pid;
    forget(u);
    u->over(u->arg, pid, NULL);
}

static void on_word(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct upgrade *u = io->data;
    (void)events;
    if (!read_word(u))
        return;
    if (is_ready(u))
        hand_over(u);
    else
        ev_io_stop(loop, io); /* It is about to end: how it does comes with on_end. */
}

static void on_end(struct ev_loop *loop, struct ev_child *child, int events)
{
    struct upgrade *u = child->data;
    char ending[CHILD_ENDING_MAX], why[sizeof u->why + CHILD_ENDING_MAX];
    (void)loop;
    (void)events;
    if (u->why[0] == '\0')
        read_word(u);
    if (u->given_up)
        snprintf(why, sizeof why, "the new program was not ready after %g s", UPGRADE_SECONDS);
    else if (u->why[0] != '\0' && !is_ready(u))
        snprintf(why, sizeof why, "%s", u->why);
    else
        snprintf(why, sizeof why, "the new program %s", child_ending(child->rstatus, ending));
    forget(u);
    u->over(u->arg, 0, why);
}

static void send_away(struct upgrade *u, size_t parting, double seconds)
{
    u->given_up = true;
    u->parting = parting;
    ev_io_stop(u->loop, &u->io);
    kill(u->pid, partings[parting]);
    ev_timer_stop(u->loop, &u->timer);
    ev_timer_set(&u->timer, seconds, 0);
    if (partings[parting] != SIGKILL)
        ev_timer_start(u->loop, &u->timer);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct upgrade *u = timer->data;
    (void)loop;
    (void)events;
    if (u->given_up) {
        send_away(u, u->parting + 1, UPGRADE_LEAVE_SECONDS);
        return;
    }
    /* From here on it cannot say that it is ready, and hears so: see inherit_done. */
    shutdown(u->fd, SHUT_RD);
    if (read_word(u) && is_ready(u))
        hand_over(u);
    else
        send_away(u, 0, UPGRADE_LEAVE_SECONDS);
}

static _Noreturn void become(char *const argv[], const struct ports *ports,
                             const struct ports *admin, int answer, const sigset_t *mask)
{
    char why[256];
    static const int handled[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD};
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        signal(handled[i], SIG_DFL);
    answer = inherit_leave(ports, admin, answer);
    if (answer >= 0) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        /* execvp would hand what is no program at all to a shell. */
        if (strchr(argv[0], '/') != NULL)
            execv(argv[0], argv);
        else
            execvp(argv[0], argv);
    }
    snprintf(why, sizeof why, "cannot execute %s: %s", argv[0], strerror(errno));
    (void)!send(answer, why, strlen(why), MSG_NOSIGNAL);
    _exit(EXIT_FAILURE);
}

void upgrade_init(struct upgrade *u, struct ev_loop *loop,
                  void (*over)(void *arg, pid_t pid, const char *why), void *arg)
{
    *u = (struct upgrade){.loop = loop, .fd = -1, .over = over, .arg = arg};
    ev_init(&u->io, on_word);
    ev_init(&u->child, on_end);
    ev_timer_init(&u->timer, on_timer, UPGRADE_SECONDS, 0);
    u->io.data = u->child.data = u->timer.data = u;
}

bool upgrade_start(struct upgrade *u, char *const argv[], const struct ports *ports,
                   const struct ports *admin, char *why, size_t why_size)
{
    int pair[2];
    sigset_t all, before;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        snprintf(why, why_size, "cannot make a socket: %s", strerror(errno));
        return false;
    }
    /* As in child_fork: until it has its own, a signal would reach this loop by its handlers. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    u->pid = fork();
    if (u->pid == 0)
        become(argv, ports, admin, pair[1], &before);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    sys_close(pair[1]);
    if (u->pid < 0) {
        u->pid = 0;
        sys_close(pair[0]);
        snprintf(why, why_size, "cannot fork: %s", strerror(error));
        return false;
    }
    u->fd = pair[0];
    u->given_up = false;
    u->why[0] = '\0';
    ev_io_set(&u->io, u->fd, EV_READ);
    ev_io_start(u->loop, &u->io);
    ev_child_set(&u->child, u->pid, 0);
    ev_child_start(u->loop, &u->child);
    ev_timer_set(&u->timer, UPGRADE_SECONDS, 0);
    ev_timer_start(u->loop, &u->timer);
    return true;
}

void upgrade_cancel(struct upgrade *u, double seconds)
{
    size_t parting = seconds > 0 ? 0 : 1;
    if (u->pid != 0 && (!u->given_up || u->parting < parting))
        send_away(u, parting, seconds > 0 ? seconds : UPGRADE_LEAVE_SECONDS);
}
