/*
 * access: formats and writes the access log.
 *
 * Promises one line per exchange, written in one piece if it is no longer than PIPE_BUF. The last
 * station of a request.
 */
#include "proxy/access.h"

#include "base/sys.h"
#include "proxy/pulse.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX     (1u << 20)
#define LINES_KEPT    (LINES_MAX / 2) /* while they wait; leaves room for the longest line */
#define FLUSH_AT      (PIPE_BUF - 512)
#define FLUSH_SECONDS 0.02
#define RETRY_SECONDS 0.1  /* while nobody takes them */
#define ESCAPED_MAX   6    /* bytes that one byte becomes at most */
#define LINE_REST     2048 /* the names and numbers of a line, and its addresses */
#define BURST_WAIT    100  /* milliseconds */
#define LAST_WAIT     500  /* likewise, at the end */

/* What one write may hold without being mixed with those of other workers: whole lines. */
static struct slice next_piece(const struct access *a)
{
    struct slice s = buf_slice(&a->lines);
    const char *end = s.len > PIPE_BUF ? memrchr(s.at, '\n', PIPE_BUF) : NULL;

    return end != NULL ? slice_of(s.at, (size_t)(end - s.at) + 1) : s;
}

static ssize_t write_piece(const struct access *a, struct slice s)
{
    if (a->is_socket)
        return send(a->fd, s.at, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(a->fd, s.at, s.len);
}

/* The other end is gone, or the disk is full. */
static void lose_all(struct access *a)
{
    struct slice s = buf_slice(&a->lines);

    for (size_t i = 0; i < s.len; i++)
        a->stats->log_lost += s.at[i] == '\n';
    buf_clear(&a->lines);
}

static void write_all(struct access *a)
{
    a->blocked = false;
    while (buf_len(&a->lines) > 0 && !a->blocked) {
        ssize_t n = write_piece(a, next_piece(a));
        if (n > 0) {
            buf_consume(&a->lines, (size_t)n);
            a->stalled = false;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            a->blocked = true;
        } else if (n == 0 || errno != EINTR) {
            lose_all(a);
        }
    }
    buf_trim(&a->lines);
}

/* True if whoever takes the lines takes some within `wait` milliseconds. */
static bool write_patiently(struct access *a, int wait)
{
    struct pollfd ready = {.fd = a->fd, .events = POLLOUT};

    write_all(a);
    if (!a->blocked)
        return true;
    pulse_beat();
    return poll(&ready, 1, wait) > 0;
}

/* A burst of lines waits for a reader that is only slower; one that stands still is waited for
 * once.
 */
static bool make_room(struct access *a)
{
    while (buf_len(&a->lines) > LINES_KEPT && !a->stalled)
        a->stalled = !write_patiently(a, BURST_WAIT);
    return buf_len(&a->lines) <= LINES_KEPT;
}

static void on_flush(struct deadline *d, void *owner)
{
    struct access *a = owner;

    write_all(a);
    if (a->blocked)
        deadline_set(d, RETRY_SECONDS);
}

static void put_escaped(struct buf *out, struct slice s, bool json)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char b = (unsigned char)s.at[i];
        char code[6] = {'\\', 'u', '0', '0', hex[b >> 4], hex[b & 15]};
        char quoted[2] = {'\\', (char)b};
        if (b == '"' || b == '\\')
            buf_append(out, quoted, 2);
        else if (b >= 0x20 && b < 0x7f)
            buf_append(out, &s.at[i], 1);
        else if (json)
            buf_append(out, code, 6);
        else
            buf_append(out, (char[]){'\\', 'x', code[4], code[5]}, 4);
    }
}

static void put_time(struct buf *out)
{
    double now = sys_realtime();
    time_t seconds = (time_t)now;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "%s.%03dZ", text, (int)((now - (double)seconds) * 1000));
}

static void put_codes(struct buf *out, const struct policy_result *r)
{
    for (size_t i = 0; i < r->interim_count && i < POLICY_INTERIM_CODES; i++)
        buf_printf(out, "%s%d", i > 0 ? "," : "", r->interims[i]);
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void put_text(struct buf *out, const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    char client[ADDR_TEXT_MAX];

    put_time(out);
    buf_printf(out, " %s %s \"", v->request_id, or_dash(addr_text(v->client, client)));
    put_escaped(out, v->request->head.method, false);
    buf_append_string(out, " ");
    put_escaped(out, v->request->head.target, false);
    buf_printf(out, " HTTP/1.%u\" %d %s ms=%.1f in=%llu out=%llu", v->request->head.minor,
               r->status, r->outcome, r->elapsed * 1000, (unsigned long long)r->bytes_in,
               (unsigned long long)r->bytes_out);
    buf_printf(out, " upstream=%s address=%s reused=%s", or_dash(r->upstream), or_dash(r->address),
               r->reused ? "yes" : "no");
    buf_append_string(out, " interims=");
    put_codes(out, r);
    if (r->interim_count == 0)
        buf_append_string(out, "-");
    else if (r->interim_count > POLICY_INTERIM_CODES)
        buf_printf(out, ",...(%zu)", r->interim_count);
    buf_printf(out, " expect=%s upgrade=", or_dash(r->expect));
    put_escaped(out, slice_of_string(or_dash(r->upgrade)), false);
    if (r->tunnel_in + r->tunnel_out > 0)
        buf_printf(out, " tunnel_in=%llu tunnel_out=%llu", (unsigned long long)r->tunnel_in,
                   (unsigned long long)r->tunnel_out);
    buf_printf(out, " connect_ms=%.1f first_byte_ms=%.1f", r->connect * 1000, r->first_byte * 1000);
    if (r->error[0] != '\0') {
        buf_append_string(out, " error=\"");
        put_escaped(out, slice_of_string(r->error), false);
        buf_append_string(out, "\"");
    }
    buf_append_string(out, "\n");
}

static void put_member(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, ",\"%s\":\"", name);
    put_escaped(out, value, true);
    buf_append_string(out, "\"");
}

static void put_json(struct buf *out, const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    char client[ADDR_TEXT_MAX];

    buf_append_string(out, "{\"time\":\"");
    put_time(out);
    buf_append_string(out, "\"");
    put_member(out, "id", slice_of_string(v->request_id));
    put_member(out, "client", slice_of_string(addr_text(v->client, client)));
    put_member(out, "method", v->request->head.method);
    put_member(out, "target", v->request->head.target);
    put_member(out, "host", v->request->host);
    buf_printf(out, ",\"version\":\"1.%u\",\"status\":%d", v->request->head.minor, r->status);
    put_member(out, "outcome", slice_of_string(r->outcome));
    buf_printf(out, ",\"elapsed\":%.6f,\"connect\":%.6f,\"first_byte\":%.6f", r->elapsed,
               r->connect, r->first_byte);
    buf_printf(out, ",\"bytes_in\":%llu,\"bytes_out\":%llu", (unsigned long long)r->bytes_in,
               (unsigned long long)r->bytes_out);
    put_member(out, "upstream", slice_of_string(r->upstream));
    put_member(out, "address", slice_of_string(r->address));
    buf_printf(out, ",\"reused\":%s,\"interims\":[", r->reused ? "true" : "false");
    put_codes(out, r);
    buf_printf(out, "],\"interim_count\":%zu", r->interim_count);
    put_member(out, "expect", slice_of_string(r->expect));
    put_member(out, "upgrade", slice_of_string(r->upgrade));
    buf_printf(out, ",\"tunnel_in\":%llu,\"tunnel_out\":%llu", (unsigned long long)r->tunnel_in,
               (unsigned long long)r->tunnel_out);
    put_member(out, "error", slice_of_string(r->error));
    buf_append_string(out, "}\n");
}

void access_init(struct access *a, struct net *net, int fd, struct stats *stats)
{
    int type;
    socklen_t len = sizeof type;

    a->fd = fd;
    a->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
    a->blocked = a->stalled = false;
    a->stats = stats;
    buf_init(&a->lines, LINES_MAX);
    deadline_init(&a->flush, net, on_flush, a);
}

void access_free(struct access *a)
{
    while (buf_len(&a->lines) > 0 && write_patiently(a, LAST_WAIT))
        continue;
    lose_all(a);
    deadline_stop(&a->flush);
    buf_free(&a->lines);
}

/* No line is longer: what came from outside may be escaped, everything else is short. */
static size_t longest(const struct policy_view *v)
{
    const struct policy_result *r = v->result;
    size_t foreign = v->request->head.method.len + v->request->head.target.len +
                     v->request->host.len + strlen(r->upgrade) + strlen(r->error);

    return foreign * ESCAPED_MAX + LINE_REST;
}

/* A line is there whole or not at all: room for it is made before it is written. */
static bool put_line(struct access *a, enum log_form form, const struct policy_view *view)
{
    if (!make_room(a) || buf_room(&a->lines, longest(view)) == NULL)
        return false;
    if (form == LOG_FORM_JSON)
        put_json(&a->lines, view);
    else
        put_text(&a->lines, view);
    return true;
}

void access_add(struct access *a, enum log_form form, const struct policy_view *view)
{
    if (form == LOG_FORM_NONE)
        return;
    if (!put_line(a, form, view)) {
        a->stats->log_lost++;
        return;
    }
    if (buf_len(&a->lines) >= FLUSH_AT && !a->blocked)
        write_all(a);
    if (buf_len(&a->lines) > 0 && !deadline_is_set(&a->flush))
        deadline_set(&a->flush, a->blocked ? RETRY_SECONDS : FLUSH_SECONDS);
}
