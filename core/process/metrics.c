/*
 * metrics: owns the names, labels and explanations of what Prometheus is told. Promises that each
 * family is explained once, stands in one piece, and that its labels do not change with traffic,
 * save for the codes of responses.
 */
#include "process/metrics.h"

#include <stdio.h>

/* A counter or gauge of struct stats; those without a name are further lines of the family above.
 */
struct line {
    const char *name;
    const char *help;
    const char *label; /* NULL: none */
    const char *value;
    size_t offset;
    bool gauge;
};

#define AT(member) offsetof(struct stats, member)
#define COUNTER(name, help, member)                                                                \
    {                                                                                              \
        name, help, NULL, NULL, AT(member), false                                                  \
    }
#define GAUGE(name, help, member)                                                                  \
    {                                                                                              \
        name, help, NULL, NULL, AT(member), true                                                   \
    }
#define FAMILY(name, help, label, value, member)                                                   \
    {                                                                                              \
        name, help, label, value, AT(member), false                                                \
    }
#define AND(label, value, member)                                                                  \
    {                                                                                              \
        NULL, NULL, label, value, AT(member), false                                                \
    }

static const struct line lines[] = {
    COUNTER("client_connections_accepted_total", "Client connections accepted.", accepted),
    COUNTER("client_connections_closed_total", "Client connections closed.", closed),
    COUNTER("client_connections_yielded_total",
            "Idle client connections closed to make room for new ones.", yielded),
    COUNTER("client_connections_refused_total", "Client connections over the limit of one address.",
            refused),
    GAUGE("client_connections_open", "Client connections open now.", open),
    FAMILY("accept_rests_total", "Times accepting rested, by what there was none of.", "want",
           "limit", full),
    AND("want", "resources", accept_pauses),
    FAMILY("requests_total", "Exchanges that ended, by where the answer came from.", "outcome",
           "upstream", answered_upstream),
    AND("outcome", "here", answered_here),
    AND("outcome", "aborted", aborted),
    AND("outcome", "cut", cut),
    GAUGE("requests_active", "Exchanges under way now.", active),
    FAMILY("interim_responses_total", "Interim responses forwarded to clients.", "code", "100",
           interims_100),
    AND("code", "102", interims_102),
    AND("code", "103", interims_103),
    AND("code", "other", interims_other),
    COUNTER("interim_responses_dropped_total",
            "Interim responses not passed on: HTTP/1.0 clients, or a second 100.",
            interims_dropped),
    COUNTER("expectations_forwarded_total", "Expectations passed to an origin.", expect_forwarded),
    FAMILY("expectations_total", "Expectations decided, by how.", "outcome", "origin_100",
           expect_origin_100),
    AND("outcome", "origin_final", expect_origin_final),
    AND("outcome", "started", expect_started),
    AND("outcome", "timed", expect_timed),
    AND("outcome", "continued", expect_continued),
    AND("outcome", "refused", expect_refused),
    COUNTER("upgrades_offered_total", "Upgrades passed to an origin.", upgrades_offered),
    FAMILY("upgrades_total", "Upgrades decided, by how.", "outcome", "websocket",
           upgrades_websocket),
    AND("outcome", "other", upgrades_other),
    AND("outcome", "declined", upgrades_declined),
    AND("outcome", "broken", upgrades_broken),
    AND("outcome", "ordinary", upgrades_ordinary),
    AND("outcome", "refused", upgrades_refused),
    GAUGE("tunnels_open", "Tunnels open now.", tunnels),
    FAMILY("timeouts_total", "Deadlines that passed, by kind.", "kind", "header", timeouts_header),
    AND("kind", "idle", timeouts_idle),
    AND("kind", "body", timeouts_body),
    AND("kind", "connect", timeouts_connect),
    AND("kind", "send", timeouts_send),
    AND("kind", "response", timeouts_response),
    AND("kind", "processing", timeouts_processing),
    AND("kind", "exchange", timeouts_exchange),
    AND("kind", "stall", timeouts_stall),
    AND("kind", "half_close", timeouts_half_close),
    AND("kind", "tunnel", timeouts_tunnel),
    AND("kind", "hook", timeouts_hook),
    GAUGE("origin_connections_open", "Connections to origins open now.", upstream_open),
    COUNTER("origin_connections_reused_total", "Requests sent on a pooled connection.",
            upstream_reused),
    COUNTER("origin_retries_total", "Requests sent again on a fresh connection.", upstream_retries),
    COUNTER("parser_disagreements_total", "Heads that the two readers read differently; always 0.",
            disagreements),
    COUNTER("access_log_lost_total", "Lines of the access log that nobody took.", log_lost),
    GAUGE("policy_generations_held",
          "Policy generations that workers hold: the one in use and old ones, of all workers.",
          generations),
};

static void explain(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP interim_%s %s\n# TYPE interim_%s %s\n", name, help, name, type);
}

static void put_one(struct buf *out, const char *name, const char *type, const char *help,
                    double value)
{
    explain(out, name, type, help);
    buf_printf(out, "interim_%s %.16g\n", name, value);
}

/* The value of a label: three bytes have to be escaped, any other may stand in it. What is no ASCII
 * may not be UTF-8, and two names must not become one. */
static void put_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            buf_append_string(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else if ((unsigned char)*value >= 0x80)
            buf_printf(out, "\\\\x%02x", (unsigned char)*value);
        else
            buf_append(out, value, 1);
    }
    buf_append_string(out, "\"");
}

static void put_lines(struct buf *out, const struct stats *s)
{
    const char *name = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct line *l = &lines[i];
        const void *at = (const char *)s + l->offset;
        unsigned long long value = *(const uint64_t *)at;
        if (l->name != NULL) {
            name = l->name;
            explain(out, name, l->gauge ? "gauge" : "counter", l->help);
        }
        if (l->label != NULL)
            buf_printf(out, "interim_%s{%s=\"%s\"} %llu\n", name, l->label, l->value, value);
        else
            buf_printf(out, "interim_%s %llu\n", name, value);
    }
}

static void put_parent(struct buf *out, const struct overview *o)
{
    const struct board *b = o->board;
    explain(out, "build_info", "gauge", "What is running; always 1.");
    buf_printf(out, "interim_build_info{version=\"%s\"} 1\n", INTERIM_VERSION);
    put_one(out, "start_time_seconds", "gauge", "When it was started, since 1970.", b->started);
    put_one(out, "ready", "gauge", "1 while it serves: neither starting nor draining.",
            b->state == BOARD_READY);
    put_one(out, "workers", "gauge", "Workers that accept clients.", board_working(b));
    put_one(out, "workers_wanted", "gauge", "Workers that there should be.", b->wanted);
    put_one(out, "worker_deaths_total", "counter", "Workers that ended unasked.",
            (double)b->deaths);
    put_one(out, "policy_generation", "gauge", "The policy in use, counted from 1.",
            (double)b->generation);
    explain(out, "reloads_total", "counter", "Reloads, by how they ended.");
    buf_printf(out,
               "interim_reloads_total{outcome=\"ok\"} %llu\n"
               "interim_reloads_total{outcome=\"failed\"} %llu\n",
               (unsigned long long)b->reloads_ok, (unsigned long long)b->reloads_failed);
    put_one(out, "last_reload_success", "gauge", "1 unless the last reload failed.",
            b->last_reload <= 0 || b->last_reload_ok);
    put_one(out, "last_reload_timestamp_seconds", "gauge",
            "When the last reload ended, since 1970; 0 before the first.", b->last_reload);
    put_one(out, "client_connections_limit", "gauge", "limits.connections, of all workers.",
            (double)o->settings->limits.connections);
}

static void put_statuses(struct buf *out, const struct stats *s)
{
    explain(out, "responses_total", "counter",
            "Final responses sent to clients, and switches to a tunnel, by status code.");
    for (int i = 0; i < STATS_STATUSES; i++) {
        if (s->statuses[i] > 0)
            buf_printf(out, "interim_responses_total{code=\"%d\"} %llu\n", STATS_STATUS_FIRST + i,
                       (unsigned long long)s->statuses[i]);
    }
}

/* `labels` is "" or ends in a comma. */
static void put_histogram(struct buf *out, const char *name, struct slice labels,
                          const struct histogram *h, const double *bounds)
{
    uint64_t count = 0;
    struct slice bare = labels;
    if (bare.len > 0)
        bare.len--;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += h->counts[i];
        buf_printf(out, "interim_%s_bucket{%.*sle=\"%g\"} %llu\n", name, SLICE_ARG(labels),
                   bounds[i], (unsigned long long)count);
    }
    count += h->counts[HISTOGRAM_BOUNDS];
    buf_printf(out, "interim_%s_bucket{%.*sle=\"+Inf\"} %llu\n", name, SLICE_ARG(labels),
               (unsigned long long)count);
    buf_printf(out, "interim_%s_sum%s%.*s%s %.6f\n", name, bare.len > 0 ? "{" : "", SLICE_ARG(bare),
               bare.len > 0 ? "}" : "", h->sum);
    buf_printf(out, "interim_%s_count%s%.*s%s %llu\n", name, bare.len > 0 ? "{" : "",
               SLICE_ARG(bare), bare.len > 0 ? "}" : "", (unsigned long long)count);
}

static void put_hooks(struct buf *out, const struct stats *s)
{
    char label[64];
    explain(out, "hook_calls_total", "counter", "Times a hook of the policy was asked.");
    for (int i = 0; i < HOOK_COUNT; i++)
        buf_printf(out, "interim_hook_calls_total{hook=\"%s\"} %llu\n",
                   policy_hook_name((enum policy_hook)i), (unsigned long long)s->hooks[i].asked);
    explain(out, "hook_errors_total", "counter", "Times a hook failed.");
    for (int i = 0; i < HOOK_COUNT; i++)
        buf_printf(out, "interim_hook_errors_total{hook=\"%s\"} %llu\n",
                   policy_hook_name((enum policy_hook)i), (unsigned long long)s->hooks[i].failed);
    explain(out, "hook_run_seconds", "histogram",
            "How long hooks ran; one that waits runs in several stretches.");
    for (int i = 0; i < HOOK_COUNT; i++) {
        snprintf(label, sizeof label, "hook=\"%s\",", policy_hook_name((enum policy_hook)i));
        put_histogram(out, "hook_run_seconds", slice_of_string(label), &s->hooks[i].runs,
                      histogram_runs);
    }
}

/* upstream="app",address="127.0.0.1:9000", */
static struct slice origin_labels(struct buf *room, const struct origin_stats *origin)
{
    buf_clear(room);
    put_label(room, "upstream", origin->upstream);
    buf_append_string(room, ",");
    put_label(room, "address", origin->address);
    buf_append_string(room, ",");
    return buf_slice(room);
}

enum origin_figure { CONNECTS, REQUESTS, FAILURES, RESTS, RESTING, FIGURES };

static uint64_t origin_figure(const struct overview *o, const struct origin_stats *origin,
                              enum origin_figure what)
{
    const uint64_t figures[FIGURES] = {origin->connects, origin->requests, origin->failures,
                                       origin->rests, overview_rests(o, origin)};
    return figures[what];
}

static void put_origins(struct buf *out, struct buf *room, const struct overview *o)
{
    static const char *const families[FIGURES][2] = {
        {"upstream_connections_total", "Connections to an origin that were begun."},
        {"upstream_requests_total", "Requests sent to an origin, those sent again included."},
        {"upstream_failures_total", "Times an origin was not reached, or broke off."},
        {"upstream_rests_total", "Times an origin was passed over for a while."},
        {"upstream_resting", "1 while an origin is passed over in favour of others."}};
    const struct origin_stats *end = o->sum.origins;
    while (end < &o->sum.origins[STATS_ORIGINS] && end->upstream[0] != '\0')
        end++;
    for (int f = 0; f < FIGURES; f++) {
        explain(out, families[f][0], f == RESTING ? "gauge" : "counter", families[f][1]);
        for (const struct origin_stats *at = o->sum.origins; at < end; at++) {
            struct slice labels = origin_labels(room, at);
            buf_printf(out, "interim_%s{%.*s} %llu\n", families[f][0], (int)labels.len - 1,
                       labels.at, (unsigned long long)origin_figure(o, at, (enum origin_figure)f));
        }
    }
    explain(out, "upstream_first_byte_seconds", "histogram",
            "From the end of a request's head to the first byte of any response.");
    for (const struct origin_stats *at = o->sum.origins; at < end; at++)
        put_histogram(out, "upstream_first_byte_seconds", origin_labels(room, at), &at->first_byte,
                      histogram_waits);
}

void metrics_write(struct buf *out, const struct overview *o)
{
    struct buf room;
    buf_init(&room, 1024);
    put_parent(out, o);
    put_lines(out, &o->sum);
    put_statuses(out, &o->sum);
    explain(out, "request_duration_seconds", "histogram",
            "From the end of a request's head to the end of its exchange; no tunnels.");
    put_histogram(out, "request_duration_seconds", SLICE(""), &o->sum.elapsed, histogram_waits);
    put_hooks(out, &o->sum);
    put_origins(out, &room, o);
    buf_free(&room);
}
