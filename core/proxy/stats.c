/*
 * stats: owns how counters are summed and shown; who moves them is the rest of core/proxy.
 *
 * Promises that every counter of the list in stats.h is in the sum and in the text.
 *
 * Next: process/metrics and process/overview show what is counted here.
 */
#include "proxy/stats.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
#define STATS_COUNTER(name, text) {#name, offsetof(struct stats, name)},
    STATS(STATS_COUNTER)
#undef STATS_COUNTER
};

#define COUNT (sizeof counters / sizeof counters[0])

static bool bears(const struct origin_stats *o, const char *upstream, const char *address)
{
    return strcmp(o->upstream, upstream) == 0 && strcmp(o->address, address) == 0;
}

/* What a worker wrote may have no end. */
static void name(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%.*s", (int)size - 1, text);
}

struct origin_stats *stats_origin(struct stats *s, const char *upstream, const char *address)
{
    struct origin_stats *o = s->origins;

    while (o < &s->origins[STATS_ORIGINS - 1] && o->upstream[0] != '\0' &&
           !bears(o, upstream, address))
        o++;
    if (o->upstream[0] == '\0') {
        bool last = o == &s->origins[STATS_ORIGINS - 1];
        name(o->address, sizeof o->address, last ? "" : address);
        name(o->upstream, sizeof o->upstream, last ? "others" : upstream);
    }
    return o;
}

static void add_origin(struct origin_stats *sum, const struct origin_stats *o)
{
    sum->connects += o->connects;
    sum->requests += o->requests;
    sum->failures += o->failures;
    sum->rests += o->rests;
    if (o->rests_until > sum->rests_until)
        sum->rests_until = o->rests_until;
    histogram_add(&sum->first_byte, &o->first_byte);
}

void stats_add(struct stats *sum, const struct stats *s)
{
/* Volatile: one by one and in this order, see stats.h. */
#define STATS_SUM(name, text) sum->name += *(const volatile uint64_t *)&s->name;
    STATS(STATS_SUM)
#undef STATS_SUM
    for (size_t i = 0; i < STATS_STATUSES; i++)
        sum->statuses[i] += s->statuses[i];
    histogram_add(&sum->elapsed, &s->elapsed);
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        sum->hooks[i].asked += s->hooks[i].asked;
        sum->hooks[i].failed += s->hooks[i].failed;
        histogram_add(&sum->hooks[i].runs, &s->hooks[i].runs);
    }
    for (size_t i = 0; i < STATS_ORIGINS && s->origins[i].upstream[0] != '\0'; i++) {
        const struct origin_stats *o = &s->origins[i];
        /* Workers of one generation have them in one order. */
        struct origin_stats *same = &sum->origins[i];
        if (!bears(same, o->upstream, o->address))
            same = stats_origin(sum, o->upstream, o->address);
        add_origin(same, o);
    }
}

static uint64_t counter_of(const struct stats *s, size_t i)
{
    return *(const uint64_t *)(const void *)((const char *)s + counters[i].offset);
}

bool stats_write_json(struct buf *out, const struct stats *s)
{
    size_t before = buf_len(out);
    bool ok = true;
    for (size_t i = 0; i < COUNT && ok; i++)
        ok = buf_printf(out, "%s\"%s\":%llu", i == 0 ? "{" : ",", counters[i].name,
                        (unsigned long long)counter_of(s, i));
    ok = ok && buf_append_string(out, "}");
    if (!ok)
        buf_cut(out, before);
    return ok;
}
