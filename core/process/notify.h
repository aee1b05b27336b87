/*
 * notify: tells the service manager how this process is, as sd_notify(3) describes it: one
 * datagram of text to the socket that $NOTIFY_SOCKET names. Without that, nothing happens.
 */
#ifndef INTERIM_PROCESS_NOTIFY_H
#define INTERIM_PROCESS_NOTIFY_H

#include <ev.h>
#include <stdbool.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    socklen_t len;
    struct ev_loop *loop;
    struct ev_timer watchdog; /* at half of $WATCHDOG_USEC */
};

/* Reads the environment. The watchdog is fed from here on, for as long as the loop turns. */
void notify_open(struct notify *n, struct ev_loop *loop);
void notify_close(struct notify *n);

/* Lines such as "READY=1\nSTATUS=2 workers". */
void notify_send(struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* RELOADING=1 with the time that the protocol asks for; READY=1 ends it. */
void notify_reloading(struct notify *n);

#endif
