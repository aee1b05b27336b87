/*
 * control: the words between the parent and its workers, over a SOCK_SEQPACKET pair: one message
 * is one packet, descriptors travel with it.
 */
#ifndef INTERIM_PROCESS_CONTROL_H
#define INTERIM_PROCESS_CONTROL_H

#include "proxy/settings.h"

enum control_kind {
    /* from the parent */
    CONTROL_PREPARE, /* load this configuration beside the one in use; fds[0] is its file */
    CONTROL_COMMIT,  /* switch to what was prepared */
    CONTROL_ABORT,   /* forget what was prepared */
    CONTROL_DRAIN,   /* accept no more, finish, exit; after `seconds` exit anyhow */
    CONTROL_STOP,    /* exit now */
    CONTROL_LIST,    /* write down the clients in the shared memory. From the admin process to the
                        parent: have the workers do that; back: `count` of them were told */
    /* from a worker */
    CONTROL_READY,     /* it accepts clients */
    CONTROL_PREPARED,  /* answers PREPARE */
    CONTROL_FAILED,    /* answers PREPARE, or comes in place of READY: `text` says why */
    CONTROL_COMMITTED, /* answers COMMIT */
    CONTROL_LISTED,    /* answers LIST; the parent passes it on to the admin process */
};

#define CONTROL_TEXT_MAX 2048
#define CONTROL_FDS_MAX  (SETTINGS_LISTENERS + 1)

struct control_message {
    enum control_kind kind;
    uint32_t serial;     /* of the reload, or the LIST: an answer repeats it */
    uint32_t count;      /* LIST, to the admin process */
    uint64_t generation; /* PREPARE */
    double seconds;      /* DRAIN */
    /* PREPARE: all ports of the generation. Those that are fresh follow fds[0] in this order. */
    uint32_t ports[SETTINGS_LISTENERS];
    bool fresh[SETTINGS_LISTENERS];
    size_t port_count;
    char text[CONTROL_TEXT_MAX]; /* FAILED; ends in NUL */
    int fds[CONTROL_FDS_MAX];    /* receiver: the receiver's to close */
    size_t fd_count;
};

/* pair[0] for the parent, pair[1] for the worker; non-blocking, close-on-exec. False with errno. */
bool control_pair(int pair[2]);

/* False when the other side is gone or so far behind that it cannot be listening. */
bool control_send(int fd, const struct control_message *message);

enum control_got { CONTROL_GOT, CONTROL_NOTHING, CONTROL_GONE };
enum control_got control_receive(int fd, struct control_message *out);

/* Closes the descriptors that came with a message. */
void control_drop_fds(struct control_message *message);

#endif
