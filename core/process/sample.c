/*
 * sample: reads the lines of process/metrics back.
 */
#include "process/sample.h"

#include "base/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_slices(struct slice a, struct slice b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_lines(const void *a, const void *b)
{
    const struct sample_line *x = a, *y = b;
    return compare_slices(x->name, y->name);
}

/* A line without its end. False: a comment, or nothing that is known. */
static bool read_line(struct slice text, struct sample_line *out)
{
    const char *space = text.len > 0 ? memrchr(text.at, ' ', text.len) : NULL;
    char number[64];
    if (space == NULL || !slice_starts(text, SLICE("interim_")))
        return false;
    snprintf(number, sizeof number, "%.*s", (int)(text.at + text.len - space) - 1, space + 1);
    out->name = slice_of(text.at, (size_t)(space - text.at));
    out->name = slice_skip(out->name, sizeof "interim_" - 1);
    out->value = strtod(number, NULL);
    return true;
}

bool sample_read(struct sample *s, struct buf *text)
{
    size_t most = 1;
    *s = (struct sample){.text = *text};
    struct slice rest = buf_slice(text);
    for (size_t i = 0; i < rest.len; i++)
        most += rest.at[i] == '\n';
    s->lines = sys_calloc(most, sizeof *s->lines);
    if (s->lines == NULL) {
        buf_free(&s->text);
        return false;
    }
    while (rest.len > 0) {
        struct slice line = slice_of(rest.at, slice_find(rest, '\n'));
        s->count += read_line(line, &s->lines[s->count]);
        rest = slice_skip(rest, line.len + 1);
    }
    qsort(s->lines, s->count, sizeof *s->lines, compare_lines);
    return true;
}

void sample_free(struct sample *s)
{
    sys_free(s->lines);
    if (s->lines != NULL)
        buf_free(&s->text);
    s->lines = NULL;
    s->count = 0;
}

/* The first line that is not before `name`. */
static const struct sample_line *find(const struct sample *s, struct slice name)
{
    size_t from = 0, to = s->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_slices(s->lines[middle].name, name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return &s->lines[from];
}

double sample_value(const struct sample *s, const char *name)
{
    struct slice wanted = slice_of_string(name);
    const struct sample_line *line = find(s, wanted);
    bool found = line < s->lines + s->count && slice_equals(line->name, wanted);
    return found ? line->value : 0;
}

static const struct sample_line *if_it_begins(const struct sample *s,
                                              const struct sample_line *line, const char *prefix)
{
    bool does = line < s->lines + s->count && slice_starts(line->name, slice_of_string(prefix));
    return does ? line : NULL;
}

const struct sample_line *sample_first(const struct sample *s, const char *prefix)
{
    return if_it_begins(s, find(s, slice_of_string(prefix)), prefix);
}

const struct sample_line *sample_next(const struct sample *s, const struct sample_line *line,
                                      const char *prefix)
{
    return if_it_begins(s, line + 1, prefix);
}

struct slice sample_label(const struct sample_line *line, const char *label)
{
    char mark[64];
    int len = snprintf(mark, sizeof mark, "%s=\"", label);
    const char *at = memmem(line->name.at, line->name.len, mark, (size_t)len);
    if (at == NULL)
        return slice_of(NULL, 0);
    struct slice value = slice_skip(line->name, (size_t)(at - line->name.at) + (size_t)len);
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\\')
            i++;
        else if (value.at[i] == '"')
            return slice_of(value.at, i);
    }
    return value;
}

void sample_histogram(const struct sample *s, const char *name, struct slice labels,
                      const double bounds[HISTOGRAM_BOUNDS], struct histogram *out)
{
    char line[SAMPLE_NAME_MAX];
    double below = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_BOUNDS)
            snprintf(bound, sizeof bound, "%g", bounds[i]);
        snprintf(line, sizeof line, "%s_bucket{%.*sle=\"%s\"}", name, SLICE_ARG(labels), bound);
        double upto = sample_value(s, line);
        out->counts[i] = upto > below ? (uint64_t)(upto - below) : 0;
        below = upto;
    }
    snprintf(line, sizeof line, "%s_sum%s%.*s%s", name, labels.len > 0 ? "{" : "",
             (int)(labels.len > 0 ? labels.len - 1 : 0), labels.at, labels.len > 0 ? "}" : "");
    out->sum = sample_value(s, line);
}
