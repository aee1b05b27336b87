/*
 * admin_pages: from a path to an answer. Owns who is answered at all: a page of somebody else's
 * that a browser was made to load must not read this one's by giving its own name this address.
 */
#include "process/admin_pages.h"

#include "process/admin_client.h"
#include "process/admin_html.h"
#include "process/metrics.h"

#include <stdio.h>

static bool is_digit_or_dot(char c)
{
    return c == '.' || (c >= '0' && c <= '9');
}

/* "127.0.0.1:9901", "[::1]", "localhost": nobody can point these elsewhere. */
static bool is_literal(struct slice host)
{
    size_t i = 0;
    if (host.len == 0 || host.at[0] == '[')
        return true;
    host.len = slice_find(host, ':');
    while (i < host.len && is_digit_or_dot(host.at[i]))
        i++;
    return i == host.len || slice_equals_nocase(host, SLICE("localhost"));
}

static bool is_welcome(const struct admin_client *c)
{
    const struct settings *settings = c->server->start.settings;
    return settings->admin_public || settings->admin.to.any.sa_family == AF_UNIX ||
           is_literal(c->request.host);
}

static void answer_overview(struct admin_client *c, const char *type,
                            void (*write)(struct buf *out, const struct overview *o))
{
    struct overview *overview = &c->server->overview;
    struct buf out;
    buf_init(&out, OVERVIEW_TEXT_MAX);
    if (buf_room(&out, OVERVIEW_TEXT_MAX) == NULL) {
        admin_client_close(c);
        return;
    }
    overview_gather(overview);
    write(&out, overview);
    admin_client_answer(c, type, 200, buf_slice(&out));
    buf_free(&out);
}

static void serve_page(struct admin_client *c)
{
    admin_client_answer(c, "text/html; charset=utf-8", 200, slice_of(admin_html, admin_html_len));
}

static void serve_metrics(struct admin_client *c)
{
    answer_overview(c, METRICS_TYPE, metrics_write);
}

static void serve_status(struct admin_client *c)
{
    answer_overview(c, "application/json", overview_write_json);
}

static void serve_healthz(struct admin_client *c)
{
    admin_client_answer(c, "text/plain", 200, SLICE("ok\n"));
}

static void serve_readyz(struct admin_client *c)
{
    enum board_state state = c->server->start.board->state;
    char text[32];
    snprintf(text, sizeof text, "%s\n", board_state_name(state));
    admin_client_answer(c, "text/plain", state == BOARD_READY ? 200 : 503, slice_of_string(text));
}

static const struct {
    struct slice path;
    void (*serve)(struct admin_client *c);
} pages[] = {
    {SLICE_INIT("/"), serve_page},
    {SLICE_INIT("/metrics"), serve_metrics},
    {SLICE_INIT("/status"), serve_status},
    {SLICE_INIT("/connections"), admin_server_await_listing},
    {SLICE_INIT("/healthz"), serve_healthz},
    {SLICE_INIT("/readyz"), serve_readyz},
};

void admin_pages_serve(struct admin_client *c)
{
    struct slice method = c->request.head.method;
    if (!is_welcome(c)) {
        admin_client_fail(c, 421, "ask for it by its address, or as localhost");
        return;
    }
    if (!slice_equals(method, SLICE("GET")) && !slice_equals(method, SLICE("HEAD"))) {
        admin_client_fail(c, 405, "everything here is only for reading");
        return;
    }
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (slice_equals(c->request.path, pages[i].path)) {
            pages[i].serve(c);
            return;
        }
    }
    admin_client_fail(c, 404, "there are /, /metrics, /status, /connections, /healthz, /readyz");
}
