/*
 * stats: owns how counters are summed and shown; who moves them is the rest of core/proxy.
 *
 * Promises that every counter of the list in stats.h is in the sum and in the text.
 *
 * Next: the admin listener and `interim status` print what is written here.
 */
#include "proxy/stats.h"

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
#define STATS_COUNTER(name, text) {#name, offsetof(struct stats, name)},
    STATS(STATS_COUNTER)
#undef STATS_COUNTER
};

#define COUNT (sizeof counters / sizeof counters[0])

void stats_add(struct stats *sum, const struct stats *s)
{
#define STATS_SUM(name, text) sum->name += s->name;
    STATS(STATS_SUM)
#undef STATS_SUM
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
