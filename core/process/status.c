/*
 * status: words. Owns how the parent's own figures are named, beside the counters of proxy/stats.
 */
#include "process/status.h"

#include "base/log.h"

#include <string.h>

#define LINE_MAX_BYTES 8192

void status_log_ready(const struct cli *cli, const struct crew *crew)
{
    struct buf line;
    char text[ADDR_TEXT_MAX];
    const struct ports *ports = &crew->current->ports;
    buf_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; i < ports->count; i++)
        buf_printf(&line, "%s%s", i > 0 ? ", " : "", addr_text(&ports->port[i].bound, text));
    log_info("interim %s ready: listening on %.*s, %u worker%s, %s%s", INTERIM_VERSION,
             SLICE_ARG(buf_slice(&line)), crew->size, crew->size == 1 ? "" : "s",
             cli->policy != NULL ? "policy " : "no policy", cli->policy != NULL ? cli->policy : "");
    if (crew->current->admin.count > 0)
        log_info("admin: listening on %s", addr_text(&crew->current->admin.port[0].bound, text));
    buf_free(&line);
}

static const char *last_reload(const struct reload *reload)
{
    if (reload->last_end <= 0)
        return "none";
    return reload->last_ok ? "ok" : "failed";
}

void status_log_stats(const struct crew *crew, const struct reload *reload)
{
    static struct stats sum; /* too large for a stack */
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    crew_sum(crew, &sum);
    if (stats_write_json(&line, &sum)) {
        struct slice json = buf_slice(&line);
        log_info("stats %.*s,\"generation\":%llu,\"workers\":%u,\"last_reload\":\"%s\","
                 "\"last_reload_time\":%.3f}",
                 (int)json.len - 1, json.at, (unsigned long long)crew->current->number,
                 crew_count(crew), last_reload(reload), reload->last_end);
    }
    buf_free(&line);
}

void status_log_lost(const struct crew *crew)
{
    static struct stats sum; /* too large for a stack */
    crew_sum(crew, &sum);
    if (sum.log_lost > 0)
        log_warning("lines of the access log lost in all: %llu; standard output did not take them",
                    (unsigned long long)sum.log_lost);
}

void status_notify(struct notify *notify, const struct crew *crew, const char *news)
{
    notify_send(notify, "READY=1\nSTATUS=Policy generation %llu, %u worker%s%s%.*s",
                (unsigned long long)crew->current->number, crew->size, crew->size == 1 ? "" : "s",
                news[0] != '\0' ? "; " : "", (int)strcspn(news, "\n"), news);
}
