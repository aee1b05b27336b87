/*
 * admin_client: reads a request with the same strict readers as the proxy does and sends what
 * admin_pages has for it. Promises that a client costs no more than a few KB before it is answered,
 * and that each step has its time.
 */
#include "process/admin_client.h"

#include "base/sys.h"
#include "http/page.h"
#include "http/rewrite.h"
#include "process/admin_pages.h"

#define HEAD_MAX       16384
#define HEAD_SECONDS   5.0
#define SEND_SECONDS   10.0
#define LINGER_SECONDS 1.0
#define ARENA_MAX      (64u << 10)

static const struct lint_limits limits = {.start_line = 8192, .head = HEAD_MAX, .fields = 128};

static void reap(struct doom *doom)
{
    struct admin_client *c = LIST_OWNER(doom, struct admin_client, doom);
    buf_free(&c->in);
    arena_free(&c->arena);
    sys_free(c);
}

void admin_client_close(struct admin_client *c)
{
    if (c->step == ADMIN_CLOSED)
        return;
    c->step = ADMIN_CLOSED;
    deadline_stop(&c->deadline);
    conn_close(&c->conn);
    list_remove(&c->node);
    net_doom(&c->server->net, &c->doom, reap);
    admin_server_left(c->server);
}

/* ---- the answer ---- */

static void linger(struct admin_client *c)
{
    c->step = ADMIN_LINGER;
    deadline_set(&c->deadline, LINGER_SECONDS);
    conn_end(&c->conn);
    conn_read_on(&c->conn);
}

static void on_drained(struct conn *conn)
{
    struct admin_client *c = conn->owner;
    if (c->step == ADMIN_SEND)
        linger(c);
}

/* What every answer says: nobody keeps it, nobody guesses what it is, and the page may use what it
 * brings along and ask where it came from, but nobody else. */
static bool add_fields(struct head *head)
{
    return head_add(head, SLICE("Cache-Control"), SLICE("no-store")) &&
           head_add(head, SLICE("X-Content-Type-Options"), SLICE("nosniff")) &&
           head_add(head, SLICE("Content-Security-Policy"),
                    SLICE("default-src 'none'; style-src 'unsafe-inline'; script-src "
                          "'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; "
                          "form-action 'none'; frame-ancestors 'none'"));
}

static void send_answer(struct admin_client *c, struct head *head, struct slice body)
{
    const struct rewrite_response w = {
        .head = head, .framing = {FRAMING_LENGTH, body.len}, .close = true};
    struct buf *out = &c->server->net.head;
    buf_clear(out);
    if (!rewrite_response(out, &w)) {
        admin_client_close(c);
        return;
    }
    c->step = ADMIN_SEND;
    conn_read_off(&c->conn);
    conn_put_copy(&c->conn, buf_slice(out));
    if (!c->request.is_head)
        conn_put_copy(&c->conn, body);
    deadline_set(&c->deadline, SEND_SECONDS);
    if (!conn_is_blocked(&c->conn))
        linger(c);
}

void admin_client_answer(struct admin_client *c, const char *type, int status, struct slice body)
{
    struct head head = {
        .arena = &c->arena, .status = status, .reason = slice_of_string(response_reason(status))};
    if (head_add(&head, SLICE("Content-Type"), slice_of_string(type)) && add_fields(&head))
        send_answer(c, &head, body);
    else
        admin_client_close(c);
}

void admin_client_fail(struct admin_client *c, int status, const char *detail)
{
    struct head head = {.arena = &c->arena};
    struct slice body;
    enum page_form form = page_choose(&c->request.head);
    if (page_make(&head, &body, &c->arena, form, status, slice_of_string(detail), SLICE("")) &&
        (status != 405 || head_set(&head, SLICE("Allow"), SLICE("GET, HEAD"))) &&
        head_set(&head, SLICE("X-Content-Type-Options"), SLICE("nosniff")))
        send_answer(c, &head, body);
    else
        admin_client_close(c);
}

/* ---- the request ---- */

static void take_request(struct admin_client *c, size_t end)
{
    bool disagreed = false;
    struct slice head = slice_of(buf_slice(&c->in).at, end);
    struct fault fault = request_read(&c->request, &c->arena, head, &limits, &disagreed);
    deadline_clear(&c->deadline);
    conn_read_off(&c->conn);
    if (fault_is(fault))
        admin_client_fail(c, fault.status, fault.why);
    else
        admin_pages_serve(c);
}

static void read_head(struct admin_client *c)
{
    struct fault fault = fault_none();
    size_t end = 0;
    switch (lint_find_end(buf_slice(&c->in), &c->scanned, true, &limits, &end, &fault)) {
    case LINT_MORE:
        break;
    case LINT_BAD:
        admin_client_fail(c, fault.status, fault.why);
        break;
    case LINT_COMPLETE:
        take_request(c, end);
    }
}

static void on_readable(struct conn *conn)
{
    struct admin_client *c = conn->owner;
    struct slice rest;
    enum io io = c->step == ADMIN_HEAD ? conn_read_into(conn, &c->in) : conn_read(conn, &rest);
    if (io == IO_EOF || io == IO_ERR)
        admin_client_close(c);
    else if (io == IO_OK && c->step == ADMIN_HEAD)
        read_head(c);
}

static void on_failed(struct conn *conn)
{
    admin_client_close(conn->owner);
}

static void on_deadline(struct deadline *d, void *owner)
{
    struct admin_client *c = owner;
    (void)d;
    if (c->step == ADMIN_HEAD && buf_len(&c->in) > 0)
        admin_client_fail(c, 408, "the request's head did not come in time");
    else
        admin_client_close(c);
}

static const struct conn_events events = {
    .readable = on_readable, .drained = on_drained, .failed = on_failed};

void admin_client_open(struct admin_server *server, int fd)
{
    struct admin_client *c = sys_calloc(1, sizeof *c);
    if (c == NULL) {
        sys_close(fd);
        return;
    }
    c->server = server;
    buf_init(&c->in, HEAD_MAX + 1);
    arena_init(&c->arena, ARENA_MAX);
    conn_open(&c->conn, &server->net, fd, &events, c);
    deadline_init(&c->deadline, &server->net, on_deadline, c);
    deadline_set(&c->deadline, HEAD_SECONDS);
    list_push_back(&server->clients, &c->node);
    server->count++;
    conn_read_on(&c->conn);
}
