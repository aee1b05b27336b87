/*
 * notify: sends the datagrams. By hand and not by libsystemd: the protocol is public and this
 * small, and the library would be the one thing here that is only found on some systems.
 */
#include "process/notify.h"

#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void notify_send(struct notify *n, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (n->fd < 0)
        return;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= (int)sizeof text)
        len = sizeof text - 1;
    /* A manager that does not listen, or not fast enough, is no reason to stop. */
    (void)!sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&n->to, n->len);
}

void notify_reloading(struct notify *n)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reloading",
                (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

static void on_watchdog(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    notify_send(timer->data, "WATCHDOG=1");
}

static void start_watchdog(struct notify *n)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    double seconds = usec != NULL ? strtod(usec, NULL) / 1e6 : 0;
    ev_init(&n->watchdog, on_watchdog);
    n->watchdog.data = n;
    if (!(seconds > 0) || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return;
    ev_timer_set(&n->watchdog, 0, seconds / 2);
    ev_timer_start(n->loop, &n->watchdog);
}

void notify_open(struct notify *n, struct ev_loop *loop)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *n = (struct notify){.fd = -1, .loop = loop, .to = {.sun_family = AF_UNIX}};
    if (path == NULL || path[0] == '\0')
        return;
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof n->to.sun_path) {
        log_warning("NOTIFY_SOCKET is no address of a unix socket; going on without");
        return;
    }
    memcpy(n->to.sun_path, path, len);
    if (path[0] == '@')
        n->to.sun_path[0] = '\0';
    n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    n->fd = sys_socket(AF_UNIX, SOCK_DGRAM);
    if (n->fd < 0)
        log_warning("cannot make a socket to notify with: %s; going on without", strerror(errno));
    else
        start_watchdog(n);
}

void notify_close(struct notify *n)
{
    if (n->fd < 0)
        return;
    ev_timer_stop(n->loop, &n->watchdog);
    sys_close(n->fd);
    n->fd = -1;
}
