/*
 * admin_client: one connection to the admin listener: one request, one answer, then it closes.
 */
#ifndef INTERIM_PROCESS_ADMIN_CLIENT_H
#define INTERIM_PROCESS_ADMIN_CLIENT_H

#include "http/request.h"
#include "net/conn.h"
#include "net/deadline.h"
#include "process/admin_server.h"

enum admin_step {
    ADMIN_HEAD,   /* its request's head is to come */
    ADMIN_WAIT,   /* its answer is being made */
    ADMIN_SEND,   /* it takes the answer */
    ADMIN_LINGER, /* all is sent; what it still says is discarded, so that no reset takes it away */
    ADMIN_CLOSED  /* doomed */
};

struct admin_client {
    struct conn conn;
    struct doom doom;
    struct list node; /* in server.clients */
    struct admin_server *server;
    struct buf in;
    size_t scanned;
    struct deadline deadline; /* of the step */
    enum admin_step step;
    struct arena arena;
    struct request request;
};

/* Takes over a connected socket, also when memory is out. */
void admin_client_open(struct admin_server *server, int fd);

/* Sends an answer whole. `type` is the media type; `body` is copied. */
void admin_client_answer(struct admin_client *c, const char *type, int status, struct slice body);

/* Sends a built-in page in the form asked for. */
void admin_client_fail(struct admin_client *c, int status, const char *detail);

/* Closes at once, whatever is under way. */
void admin_client_close(struct admin_client *c);

#endif
