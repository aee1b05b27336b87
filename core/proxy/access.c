/*
 * access: gathers the lines of the access log, which proxy/access_line formats, and writes them.
 *
 * Promises one line per exchange, written in one piece if it is no longer than PIPE_BUF. The last
 * station of a request.
 */
#include "proxy/access.h"

#include "base/sys.h"
#include "proxy/access_line.h"
#include "proxy/pulse.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define LINES_MAX     (1u << 20)
#define LINES_KEPT    (LINES_MAX / 2) /* while they wait; leaves room for the longest line */
#define LINES_SMALL   (4 * PIPE_BUF)
#define FLUSH_AT      (PIPE_BUF - 512)
#define FLUSH_SECONDS 0.02
#define RETRY_SECONDS 0.1 /* while nobody takes them */
#define BURST_WAIT    100 /* milliseconds, in each second */
#define LAST_WAIT     500 /* likewise, at the end */
#define TIME_SECONDS  19  /* bytes of a time up to its seconds */

/* What one write may hold without being mixed with those of other workers: whole lines. Of a line
 * that is longer, what is taken at once. */
static struct slice next_piece(const struct access *a)
{
    struct slice s = buf_slice(&a->lines);
    const char *end = s.len > PIPE_BUF ? memrchr(s.at, '\n', PIPE_BUF) : NULL;

    if (end != NULL)
        return slice_of(s.at, (size_t)(end - s.at) + 1);
    return slice_of(s.at, a->taker != SYS_TAKER_FILE && s.len > PIPE_BUF ? PIPE_BUF : s.len);
}

/* The other end is gone, or the disk is full. A line of which a part was written is lost, too; the
 * line end that comes after it, before the next one, is none. */
static void lose_all(struct access *a)
{
    struct slice s = buf_slice(&a->lines);

    for (size_t i = s.len > 0 && s.at[0] == '\n'; i < s.len; i++)
        a->stats->log_lost += s.at[i] == '\n';
    buf_clear(&a->lines);
}

static void write_all(struct access *a)
{
    a->blocked = false;
    while (buf_len(&a->lines) > 0 && !a->blocked) {
        struct slice piece = next_piece(a);
        ssize_t n = sys_offer(a->fd, a->taker, piece.at, piece.len);
        if (n > 0) {
            a->torn = piece.at[n - 1] != '\n';
            buf_consume(&a->lines, (size_t)n);
            a->stalled = false;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            a->blocked = true;
        } else {
            lose_all(a);
        }
    }
    /* What a few lines need is kept: every line would pay for it. */
    if (a->lines.size > LINES_SMALL)
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

/* Milliseconds that are left to wait in this second. */
static int patience(struct access *a)
{
    double now = sys_monotonic();

    if (now - a->waited_since >= 1) {
        a->waited_since = now;
        a->waited = 0;
    }
    return a->waited < BURST_WAIT ? BURST_WAIT - (int)a->waited : 0;
}

/* A burst of lines waits for a reader that is only slower, within bounds: clients must not get the
 * pace of one that is slow for good. One that stands still is waited for once. */
static bool make_room(struct access *a)
{
    bool taken = true;

    while (buf_len(&a->lines) > LINES_KEPT && !a->stalled && taken) {
        int wait = patience(a);
        double began = sys_monotonic();
        taken = write_patiently(a, wait);
        a->waited += (sys_monotonic() - began) * 1000;
        a->stalled = !taken && wait == BURST_WAIT;
    }
    return buf_len(&a->lines) <= LINES_KEPT;
}

static void on_flush(struct deadline *d, void *owner)
{
    struct access *a = owner;

    write_all(a);
    if (a->blocked)
        deadline_set(d, RETRY_SECONDS);
}

/* Now, as "2026-11-23T07:41:07.888Z"; lives until the next call. */
static struct slice time_of_line(struct access *a)
{
    double now = sys_realtime();
    time_t second = (time_t)now;
    unsigned ms = (unsigned)((now - (double)second) * 1000);
    struct tm tm;

    if (second != a->second) {
        gmtime_r(&second, &tm);
        strftime(a->time, sizeof a->time, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        a->second = second;
    }
    for (size_t i = 3; i > 0; i--, ms /= 10)
        a->time[TIME_SECONDS + i] = (char)('0' + ms % 10);
    return slice_of_string(a->time);
}

void access_init(struct access *a, struct net *net, int fd, struct stats *stats)
{
    a->fd = fd;
    a->taker = sys_taker(fd);
    a->blocked = a->stalled = a->torn = false;
    a->waited = a->waited_since = 0;
    a->second = -1;
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

/* A line is there whole or not at all: room for it is made before it is written. */
static bool put_line(struct access *a, enum log_form form, const struct policy_view *view)
{
    char *room = make_room(a) ? buf_room(&a->lines, 1 + access_line_most(view)) : NULL;

    if (room == NULL)
        return false;
    /* The rest of what was written last is lost. */
    if (a->torn && buf_len(&a->lines) == 0) {
        *room++ = '\n';
        buf_commit(&a->lines, 1);
    }
    buf_commit(&a->lines, access_line_put(room, form, time_of_line(a), view));
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
