/*
 * view: owns what stands where on that screen. Counters are shown as what passed in a second, where
 * there are two samples, gauges as they are.
 */
#include "process/view.h"

#include <stdio.h>
#include <string.h>

#define LABEL "%-12s"

/* A counter under a name of its own on the screen. */
struct item {
    const char *label;
    const char *name;
};

static double counter(const struct view *v, const char *name)
{
    double now = sample_value(v->now, name);
    if (v->before == NULL)
        return now;
    double passed = now - sample_value(v->before, name);
    /* It was started anew in between. */
    return (passed > 0 ? passed : 0) / v->seconds;
}

static void put_number(struct buf *out, const struct view *v, double n)
{
    if (v->before == NULL)
        buf_printf(out, "%.0f", n);
    else if (n > 0 && n < 10)
        buf_printf(out, "%.1f/s", n);
    else
        buf_printf(out, "%.0f/s", n);
}

static void put_duration(struct buf *out, double seconds)
{
    if (seconds < 0.001)
        buf_printf(out, "%.0f us", seconds * 1e6);
    else if (seconds < 1)
        buf_printf(out, "%.1f ms", seconds * 1e3);
    else
        buf_printf(out, "%.1f s", seconds);
}

/* "3 d 4 h", "5 min", "12 s" */
static void put_age(struct buf *out, double seconds)
{
    long s = seconds > 0 ? (long)seconds : 0;
    if (s >= 86400)
        buf_printf(out, "%ld d %ld h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        buf_printf(out, "%ld h %ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        buf_printf(out, "%ld min", s / 60);
    else
        buf_printf(out, "%ld s", s);
}

static void put_items(struct buf *out, const struct view *v, const char *label,
                      const struct item *items, size_t count)
{
    buf_printf(out, LABEL, label);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s ", i > 0 ? "   " : "", items[i].label);
        put_number(out, v, counter(v, items[i].name));
    }
    buf_append_string(out, "\n");
}

#define PUT_ITEMS(out, v, label, ...)                                                              \
    put_items(out, v, label, (const struct item[]){__VA_ARGS__},                                   \
              sizeof((const struct item[]){__VA_ARGS__}) / sizeof(struct item))

static void histogram_of(const struct view *v, const char *name, struct slice labels,
                         const double *bounds, struct histogram *out)
{
    struct histogram before;
    sample_histogram(v->now, name, labels, bounds, out);
    if (v->before == NULL)
        return;
    sample_histogram(v->before, name, labels, bounds, &before);
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        out->counts[i] -= before.counts[i] < out->counts[i] ? before.counts[i] : out->counts[i];
    out->sum -= before.sum;
}

static void put_quantiles(struct buf *out, const struct histogram *h, const double *bounds)
{
    if (histogram_count(h) == 0) {
        buf_append_string(out, "no times");
        return;
    }
    buf_append_string(out, "median ");
    put_duration(out, histogram_quantile(h, bounds, 0.5));
    buf_append_string(out, "   99 % ");
    put_duration(out, histogram_quantile(h, bounds, 0.99));
}

static void put_state(struct buf *out, const struct view *v)
{
    const struct sample_line *build = sample_first(v->now, "build_info{");
    struct slice version = build != NULL ? sample_label(build, "version") : SLICE("?");
    double reload = sample_value(v->now, "last_reload_timestamp_seconds");
    buf_printf(out, "interim %.*s   %s   up ", SLICE_ARG(version),
               sample_value(v->now, "ready") > 0 ? "ready" : "NOT READY");
    put_age(out, v->time - sample_value(v->now, "start_time_seconds"));
    buf_printf(out, "   policy generation %.0f", sample_value(v->now, "policy_generation"));
    if (reload > 0) {
        bool ok = sample_value(v->now, "last_reload_success") > 0;
        buf_printf(out, "   %s ", ok ? "reloaded" : "RELOAD FAILED");
        put_age(out, v->time - reload);
        buf_append_string(out, " ago");
    }
    buf_printf(out, "\n" LABEL "%.0f of %.0f work   deaths %.0f\n", "workers",
               sample_value(v->now, "workers"), sample_value(v->now, "workers_wanted"),
               sample_value(v->now, "worker_deaths_total"));
}

static void put_requests(struct buf *out, const struct view *v)
{
    struct histogram h;
    double all = counter(v, "requests_total{outcome=\"upstream\"}") +
                 counter(v, "requests_total{outcome=\"here\"}") +
                 counter(v, "requests_total{outcome=\"aborted\"}") +
                 counter(v, "requests_total{outcome=\"cut\"}");
    histogram_of(v, "request_duration_seconds", SLICE(""), histogram_waits, &h);
    buf_printf(out, LABEL, "requests");
    put_number(out, v, all);
    buf_printf(out, "   under way %.0f   ", sample_value(v->now, "requests_active"));
    put_quantiles(out, &h, histogram_waits);
    buf_append_string(out, "\n");
    PUT_ITEMS(out, v, "answered", {"upstream", "requests_total{outcome=\"upstream\"}"},
              {"here", "requests_total{outcome=\"here\"}"},
              {"aborted", "requests_total{outcome=\"aborted\"}"},
              {"cut", "requests_total{outcome=\"cut\"}"});
}

/* Those of a family that are not 0, by the value of a label. */
static void put_family(struct buf *out, const struct view *v, const char *title, const char *prefix,
                       const char *label)
{
    char name[128];
    size_t shown = 0;
    buf_printf(out, LABEL, title);
    for (const struct sample_line *l = sample_first(v->now, prefix); l != NULL && shown < 8;
         l = sample_next(v->now, l, prefix)) {
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(l->name));
        double n = counter(v, name);
        if (n <= 0)
            continue;
        buf_printf(out, "%s%.*s ", shown++ > 0 ? "   " : "", SLICE_ARG(sample_label(l, label)));
        put_number(out, v, n);
    }
    buf_append_string(out, shown > 0 ? "\n" : "none\n");
}

static void put_connections(struct buf *out, const struct view *v)
{
    buf_printf(out, LABEL "open %.0f of %.0f   tunnels %.0f   to origins %.0f   accepted ",
               "connections", sample_value(v->now, "client_connections_open"),
               sample_value(v->now, "client_connections_limit"),
               sample_value(v->now, "tunnels_open"),
               sample_value(v->now, "origin_connections_open"));
    put_number(out, v, counter(v, "client_connections_accepted_total"));
    buf_append_string(out, "   refused ");
    put_number(out, v, counter(v, "client_connections_refused_total"));
    buf_append_string(out, "\n");
}

static void put_decisions(struct buf *out, const struct view *v)
{
    PUT_ITEMS(out, v, "interims", {"100", "interim_responses_total{code=\"100\"}"},
              {"102", "interim_responses_total{code=\"102\"}"},
              {"103", "interim_responses_total{code=\"103\"}"},
              {"other", "interim_responses_total{code=\"other\"}"},
              {"dropped", "interim_responses_dropped_total"});
    PUT_ITEMS(out, v, "expect", {"forwarded", "expectations_forwarded_total"},
              {"100 by origin", "expectations_total{outcome=\"origin_100\"}"},
              {"here", "expectations_total{outcome=\"continued\"}"},
              {"refused", "expectations_total{outcome=\"refused\"}"});
    PUT_ITEMS(out, v, "upgrades", {"offered", "upgrades_offered_total"},
              {"websocket", "upgrades_total{outcome=\"websocket\"}"},
              {"other", "upgrades_total{outcome=\"other\"}"},
              {"declined", "upgrades_total{outcome=\"declined\"}"},
              {"refused", "upgrades_total{outcome=\"refused\"}"});
    put_family(out, v, "timeouts", "timeouts_total{", "kind");
}

static void put_hook(struct buf *out, const struct view *v, struct slice hook)
{
    char labels[64], name[128];
    struct histogram h;
    snprintf(labels, sizeof labels, "hook=\"%.*s\",", SLICE_ARG(hook));
    histogram_of(v, "hook_run_seconds", slice_of_string(labels), histogram_runs, &h);
    buf_printf(out, "  %-10.*s", SLICE_ARG(hook));
    snprintf(name, sizeof name, "hook_calls_total{hook=\"%.*s\"}", SLICE_ARG(hook));
    buf_append_string(out, "calls ");
    put_number(out, v, counter(v, name));
    snprintf(name, sizeof name, "hook_errors_total{hook=\"%.*s\"}", SLICE_ARG(hook));
    buf_append_string(out, "   failed ");
    put_number(out, v, counter(v, name));
    buf_append_string(out, "   ");
    put_quantiles(out, &h, histogram_runs);
    buf_append_string(out, "\n");
}

/* Those that were ever asked. */
static void put_hooks(struct buf *out, const struct view *v)
{
    static const char prefix[] = "hook_calls_total{";
    bool any = false;
    for (const struct sample_line *l = sample_first(v->now, prefix); l != NULL;
         l = sample_next(v->now, l, prefix)) {
        if (l->value <= 0)
            continue;
        if (!any)
            buf_append_string(out, "\nhooks\n");
        any = true;
        put_hook(out, v, sample_label(l, "hook"));
    }
}

static void put_origin(struct buf *out, const struct view *v, struct slice labels,
                       const struct sample_line *l)
{
    char name[SAMPLE_NAME_MAX], who[256];
    struct histogram h;
    struct slice upstream = sample_label(l, "upstream"), address = sample_label(l, "address");
    bool same = slice_equals(upstream, address);
    snprintf(who, sizeof who, "%.*s%s%.*s", SLICE_ARG(upstream), same ? "" : " ",
             same ? 0 : (int)address.len, address.at);
    snprintf(name, sizeof name, "upstream_resting{%.*s}", SLICE_ARG(labels));
    buf_printf(out, "  %-32s %-8s", who, sample_value(v->now, name) > 0 ? "RESTS" : "in use");
    snprintf(name, sizeof name, "upstream_requests_total{%.*s}", SLICE_ARG(labels));
    buf_append_string(out, "requests ");
    put_number(out, v, counter(v, name));
    snprintf(name, sizeof name, "upstream_failures_total{%.*s}", SLICE_ARG(labels));
    buf_append_string(out, "   failed ");
    put_number(out, v, counter(v, name));
    buf_append_string(out, "   ");
    snprintf(name, sizeof name, "%.*s,", SLICE_ARG(labels));
    histogram_of(v, "upstream_first_byte_seconds", slice_of_string(name), histogram_waits, &h);
    put_quantiles(out, &h, histogram_waits);
    buf_append_string(out, "\n");
}

static void put_origins(struct buf *out, const struct view *v)
{
    static const char prefix[] = "upstream_requests_total{";
    const struct sample_line *l = sample_first(v->now, prefix);
    if (l != NULL)
        buf_append_string(out, "\nupstreams\n");
    for (; l != NULL; l = sample_next(v->now, l, prefix)) {
        struct slice labels = slice_skip(l->name, sizeof prefix - 1);
        if (labels.len > 0)
            labels.len--; /* the brace */
        put_origin(out, v, labels, l);
    }
}

/* Names come from elsewhere; a terminal obeys some bytes. */
static void make_printable(struct buf *out, size_t from)
{
    struct slice text = slice_skip(buf_slice(out), from);
    char *at = (char *)(uintptr_t)text.at;
    for (size_t i = 0; i < text.len; i++) {
        if (at[i] != '\n' && (at[i] < 0x20 || at[i] > 0x7e))
            at[i] = '?';
    }
}

void view_write(struct buf *out, const struct view *v)
{
    size_t from = buf_len(out);
    put_state(out, v);
    put_connections(out, v);
    put_requests(out, v);
    put_family(out, v, "statuses", "responses_total{", "code");
    put_decisions(out, v);
    put_hooks(out, v);
    put_origins(out, v);
    make_printable(out, from);
}
