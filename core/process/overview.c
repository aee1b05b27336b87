/*
 * overview: owns what is summed over workers, and the names and order of the JSON's members.
 */
#include "process/overview.h"

#include "base/sys.h"

#include <stdio.h>

void overview_gather(struct overview *out)
{
    memset(&out->sum, 0, sizeof out->sum);
    for (unsigned i = 0; i < out->board->used; i++)
        stats_add(&out->sum, &out->slots[i].stats);
    out->now = sys_realtime();
    out->monotonic = sys_monotonic();
}

bool overview_rests(const struct overview *o, const struct origin_stats *origin)
{
    return origin->rests_until > o->monotonic;
}

void overview_write_string(struct buf *out, const char *text)
{
    buf_append_string(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char b = (unsigned char)*text;
        if (b == '"' || b == '\\')
            buf_printf(out, "\\%c", b);
        else if (b >= 0x20 && b < 0x7f)
            buf_append(out, text, 1);
        else
            buf_printf(out, "\\u%04x", b);
    }
    buf_append_string(out, "\"");
}

/* {"count":2,"seconds":0.5,"median":..,"p99":..,"buckets":[[0.001,1],…,[null,2]]}: each with how
 * many it holds itself. */
static void put_histogram(struct buf *out, const struct histogram *h, const double *bounds)
{
    buf_printf(out, "{\"count\":%llu,\"seconds\":%.6f,\"median\":%.6g,\"p99\":%.6g,\"buckets\":[",
               (unsigned long long)histogram_count(h), h->sum, histogram_quantile(h, bounds, 0.5),
               histogram_quantile(h, bounds, 0.99));
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
        buf_printf(out, "[%g,%llu],", bounds[i], (unsigned long long)h->counts[i]);
    buf_printf(out, "[null,%llu]]}", (unsigned long long)h->counts[HISTOGRAM_BOUNDS]);
}

static void put_parent(struct buf *out, const struct overview *o)
{
    const struct board *b = o->board;
    buf_printf(out,
               "\"version\":\"%s\",\"state\":\"%s\",\"time\":%.3f,\"started\":%.3f,"
               "\"generation\":%llu,\"last_reload\":\"%s\",\"last_reload_time\":%.3f,"
               "\"reloads_ok\":%llu,\"reloads_failed\":%llu,",
               INTERIM_VERSION, board_state_name(b->state), o->now, b->started,
               (unsigned long long)b->generation, board_last_reload(b), b->last_reload,
               (unsigned long long)b->reloads_ok, (unsigned long long)b->reloads_failed);
    buf_printf(out, "\"workers_wanted\":%u,\"workers_working\":%u,\"worker_deaths\":%llu,",
               b->wanted, board_working(b), (unsigned long long)b->deaths);
    buf_printf(out, "\"connections_limit\":%zu", o->settings->limits.connections);
}

static void put_workers(struct buf *out, const struct overview *o)
{
    bool first = true;
    buf_append_string(out, ",\"workers\":[");
    for (unsigned i = 0; i < o->board->used; i++) {
        const struct board_worker *w = &o->board->workers[i];
        const struct stats *s = &o->slots[i].stats;
        if (w->state == CREW_EMPTY)
            continue;
        buf_printf(out,
                   "%s{\"number\":%u,\"pid\":%d,\"state\":\"%s\",\"since\":%.3f,\"open\":%llu,"
                   "\"active\":%llu,\"requests\":%llu}",
                   first ? "" : ",", i + 1, (int)w->pid, board_worker_state(w), w->forked,
                   (unsigned long long)s->open, (unsigned long long)s->active,
                   (unsigned long long)s->requests);
        first = false;
    }
    buf_append_string(out, "]");
}

static void put_statuses(struct buf *out, const struct stats *s)
{
    bool first = true;
    buf_append_string(out, ",\"statuses\":{");
    for (int i = 0; i < STATS_STATUSES; i++) {
        if (s->statuses[i] == 0)
            continue;
        buf_printf(out, "%s\"%d\":%llu", first ? "" : ",", STATS_STATUS_FIRST + i,
                   (unsigned long long)s->statuses[i]);
        first = false;
    }
    buf_append_string(out, "}");
}

static void put_hooks(struct buf *out, const struct stats *s)
{
    buf_append_string(out, ",\"hooks\":{");
    for (int i = 0; i < HOOK_COUNT; i++) {
        buf_printf(out, "%s\"%s\":{\"asked\":%llu,\"failed\":%llu,\"run\":", i > 0 ? "," : "",
                   policy_hook_name((enum policy_hook)i), (unsigned long long)s->hooks[i].asked,
                   (unsigned long long)s->hooks[i].failed);
        put_histogram(out, &s->hooks[i].runs, histogram_runs);
        buf_append_string(out, "}");
    }
    buf_append_string(out, "}");
}

static void put_origin(struct buf *out, const struct overview *o, const struct origin_stats *origin)
{
    buf_append_string(out, "{\"upstream\":");
    overview_write_string(out, origin->upstream);
    buf_append_string(out, ",\"address\":");
    overview_write_string(out, origin->address);
    buf_printf(out,
               ",\"resting\":%s,\"connects\":%llu,\"requests\":%llu,\"failures\":%llu,"
               "\"rests\":%llu,\"first_byte\":",
               overview_rests(o, origin) ? "true" : "false", (unsigned long long)origin->connects,
               (unsigned long long)origin->requests, (unsigned long long)origin->failures,
               (unsigned long long)origin->rests);
    put_histogram(out, &origin->first_byte, histogram_waits);
    buf_append_string(out, "}");
}

void overview_write_json(struct buf *out, const struct overview *o)
{
    buf_append_string(out, "{");
    put_parent(out, o);
    put_workers(out, o);
    buf_append_string(out, ",\"counters\":");
    stats_write_json(out, &o->sum);
    put_statuses(out, &o->sum);
    buf_append_string(out, ",\"elapsed\":");
    put_histogram(out, &o->sum.elapsed, histogram_waits);
    put_hooks(out, &o->sum);
    buf_append_string(out, ",\"upstreams\":[");
    for (int i = 0; i < STATS_ORIGINS && o->sum.origins[i].upstream[0] != '\0'; i++) {
        if (i > 0)
            buf_append_string(out, ",");
        put_origin(out, o, &o->sum.origins[i]);
    }
    buf_append_string(out, "]}\n");
}
