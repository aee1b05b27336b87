/*
 * scenario_mutate: changes a scene line by line. Most changes of single bytes would make of a line
 * something that means nothing, or of two steps one.
 *
 * New lines are those of the scenes of tests/fault: whatever is said there may be said anywhere.
 */
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 160
#define BANK_MAX  4096
#define FILE_MAX  (1 << 20)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);

struct line {
    const char *at;
    size_t len;
};

struct lines {
    struct line line[LINES_MAX];
    size_t count;
};

/* What the scenes there do not say often, or at all. */
static const char *const sayings[] = {
    "fail 7",
    "fail 31",
    "fail 61",
    "fail 101",
    "in way 1",
    "in way 2",
    "and all later",
    "storm",
    "bytewise",
    "ending 1",
    "ending 2",
    "limit of requests 2",
    "limit of clients 1",
    "unpooled",
    "limit of buffered 129",
    "proxies 1",
    "own continue 1",
    "hook request answer 403 waits",
    "hook request default waits",
    "hook expect forward waits",
    "hook upgrade offer waits",
    "hook upgrade ordinary",
    "hook response answer 502 waits",
    "hook error answer 503 waits",
    "hook timeout answer 504",
    "hook log default waits",
    "+ turn",
    "+ hook answers",
    "+ reload",
    "+ drain",
    "+ both reset",
    "+ client resets",
    "+ origin leaves",
    "time passes 3",
};

static struct line bank[BANK_MAX];
static size_t bank_count;
static uint64_t state;

/* Below n; xorshift, as good as any here. */
static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n > 0 ? (size_t)(state >> 11) % n : 0;
}

static bool starts(struct line line, const char *with)
{
    return line.len >= strlen(with) && memcmp(line.at, with, strlen(with)) == 0;
}

/* ---- lines of a text, and back ---- */

static bool next_line(const char **at, const char *end, struct line *line)
{
    const char *stop;

    if (*at == end)
        return false;
    stop = memchr(*at, '\n', (size_t)(end - *at));
    stop = stop != NULL ? stop : end;
    *line = (struct line){*at, (size_t)(stop - *at)};
    *at = stop < end ? stop + 1 : end;
    return true;
}

static void split(struct lines *l, const char *at, size_t size)
{
    const char *end = at + size;

    l->count = 0;
    while (l->count < LINES_MAX && next_line(&at, end, &l->line[l->count]))
        l->count += l->line[l->count].len > 0;
}

/* The lines may lie in the text that is written over. */
static size_t join(const struct lines *l, uint8_t *out, size_t max)
{
    static uint8_t joined[FILE_MAX];
    size_t len = 0;

    for (size_t i = 0; i < l->count && len + l->line[i].len < max; i++) {
        memcpy(joined + len, l->line[i].at, l->line[i].len);
        len += l->line[i].len;
        joined[len++] = '\n';
    }
    memcpy(out, joined, len);
    return len;
}

static void insert(struct lines *l, size_t at, struct line line)
{
    if (l->count == LINES_MAX)
        return;
    memmove(&l->line[at + 1], &l->line[at], (l->count - at) * sizeof *l->line);
    l->line[at] = line;
    l->count++;
}

static void erase(struct lines *l, size_t at)
{
    l->count--;
    memmove(&l->line[at], &l->line[at + 1], (l->count - at) * sizeof *l->line);
}

/* ---- the bank ---- */

static void put_by(const char *path)
{
    static char room[FILE_MAX];
    static size_t used;
    FILE *f = fopen(path, "r");
    size_t len = f != NULL ? fread(room + used, 1, sizeof room - used, f) : 0;
    const char *at = room + used, *end = at + len;

    if (f != NULL)
        fclose(f);
    used += len;
    while (bank_count < BANK_MAX && next_line(&at, end, &bank[bank_count]))
        bank_count += bank[bank_count].len > 0 && !starts(bank[bank_count], "scene");
}

static void open_bank(void)
{
    glob_t files;

    if (bank_count > 0)
        return;
    for (; bank_count < sizeof sayings / sizeof *sayings; bank_count++)
        bank[bank_count] = (struct line){sayings[bank_count], strlen(sayings[bank_count])};
    if (glob(SCENES "/*.scene", 0, NULL, &files) != 0)
        return;
    for (size_t i = 0; i < files.gl_pathc; i++)
        put_by(files.gl_pathv[i]);
    globfree(&files);
}

/* ---- changes ---- */

static char scratch[1 << 16]; /* of the line that is new */

/* Behind its first two words, where the bytes or a number begin. */
static size_t operand(struct line line)
{
    size_t at = starts(line, "+ ") ? 2 : 0;

    for (int words = 0; words < 2; words++) {
        while (at < line.len && line.at[at] != ' ')
            at++;
        at += at < line.len;
    }
    return at;
}

static struct line change_bytes(struct line line, size_t room)
{
    size_t from = operand(line), len;

    if (line.len >= sizeof scratch / 2)
        return line;
    memcpy(scratch, line.at, line.len);
    room = room < sizeof scratch / 2 ? room : sizeof scratch / 2;
    len = LLVMFuzzerMutate((uint8_t *)scratch + from, line.len - from, line.len - from + room);
    for (size_t i = from; i < from + len; i++)
        if (scratch[i] == '\n')
            scratch[i] = ' ';
    return (struct line){scratch, from + len};
}

/* Another number in the place of one of those in the line. */
static struct line change_number(struct line line)
{
    static const char *const numbers[] = {"0",   "1",   "2",   "3",   "7",   "16",
                                          "31",  "61",  "101", "127", "128", "129",
                                          "200", "255", "256", "257", "3601"};
    const char *number = numbers[below(sizeof numbers / sizeof *numbers)];
    size_t start = below(line.len), end, n;

    while (start < line.len && (line.at[start] < '0' || line.at[start] > '9'))
        start++;
    end = start;
    while (end < line.len && line.at[end] >= '0' && line.at[end] <= '9')
        end++;
    if (start == line.len || line.len + 8 > sizeof scratch)
        return line;
    n = (size_t)snprintf(scratch, sizeof scratch, "%.*s%s", (int)start, line.at, number);
    memcpy(scratch + n, line.at + end, line.len - end);
    return (struct line){scratch, n + line.len - end};
}

static struct line toggle_plus(struct line line)
{
    if (starts(line, "+ "))
        return (struct line){line.at + 2, line.len - 2};
    if (line.len + 2 > sizeof scratch)
        return line;
    memcpy(scratch, "+ ", 2);
    memcpy(scratch + 2, line.at, line.len);
    return (struct line){scratch, line.len + 2};
}

/* What is sent comes in two pieces: cut where no escape and no name is. */
static void cut(struct lines *l, size_t i)
{
    struct line line = l->line[i];
    size_t from = operand(line), at = from + below(line.len - from);
    size_t n;

    if (!starts(line, "client sends") && !starts(line, "origin sends"))
        return;
    while (at < line.len && (line.at[at] == 'r' || line.at[at] == 'n' || line.at[at] == '}' ||
                             (at > 0 && line.at[at - 1] == '\\')))
        at++;
    n = (size_t)snprintf(scratch, sizeof scratch, "%.*s", (int)from, line.at);
    if (at >= line.len || n + line.len - at > sizeof scratch)
        return;
    memcpy(scratch + n, line.at + at, line.len - at);
    l->line[i].len = at;
    insert(l, i + 1, (struct line){scratch, n + line.len - at});
}

static void change(struct lines *l, size_t room)
{
    size_t i = below(l->count), k = below(l->count);
    struct line moved = l->line[i];

    switch (below(12)) {
    case 0:
        erase(l, i);
        break;
    case 1:
        insert(l, k, moved);
        break;
    case 2:
        l->line[i] = l->line[k];
        l->line[k] = moved;
        break;
    case 3:
    case 4:
        insert(l, i, bank[below(bank_count)]);
        break;
    case 5:
        insert(l, i, bank[below(sizeof sayings / sizeof *sayings)]);
        break;
    case 6:
        l->line[i] = toggle_plus(moved);
        break;
    case 7:
        l->line[i] = change_number(moved);
        break;
    case 8:
        cut(l, i);
        break;
    case 9:
        erase(l, i);
        insert(l, below(l->count + 1), moved);
        break;
    default:
        l->line[i] = change_bytes(moved, room);
        break;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static struct lines l;

    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    open_bank();
    split(&l, (const char *)data, size);
    if (l.count == 0)
        l.line[l.count++] = (struct line){"scene a new one", 15};
    change(&l, max_size > size ? max_size - size : 0);
    return join(&l, data, max_size);
}

/* The beginning of one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed)
{
    static struct lines first, second;

    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    split(&first, (const char *)a, a_size);
    split(&second, (const char *)b, b_size);
    first.count = below(first.count + 1);
    for (size_t i = below(second.count); i < second.count; i++)
        if (!starts(second.line[i], "scene"))
            insert(&first, first.count, second.line[i]);
    return join(&first, out, max_size);
}
