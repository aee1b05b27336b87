/*
 * admin_listing: asks, waits, and merges what the workers wrote. Promises to trust none of it: a
 * worker speaks to the network, and writes what it likes into its own memory.
 */
#include "process/admin_listing.h"

#include "base/sys.h"
#include "process/overview.h"

#include <string.h>

static void finish(struct admin_listing *l)
{
    l->under_way = l->wanted = false;
    deadline_clear(&l->clock);
    l->over(l);
}

static void begin(struct admin_listing *l)
{
    const struct control_message ask = {.kind = CONTROL_LIST, .serial = ++l->serial};
    l->under_way = true;
    l->known = false;
    l->asked = l->listed = 0;
    l->begun = l->net->now;
    deadline_set(&l->clock, ADMIN_LISTING_PATIENCE);
    (void)!control_send(l->control, &ask);
}

static void on_clock(struct deadline *d, void *owner)
{
    struct admin_listing *l = owner;
    (void)d;
    if (l->under_way)
        finish(l);
    else if (l->wanted)
        begin(l);
}

void admin_listing_init(struct admin_listing *l, struct net *net)
{
    l->net = net;
    deadline_init(&l->clock, net, on_clock, l);
}

void admin_listing_want(struct admin_listing *l)
{
    double pause = l->begun + ADMIN_LISTING_PAUSE - l->net->now;
    if (l->wanted)
        return;
    l->wanted = true;
    if (pause > 0)
        deadline_set(&l->clock, pause);
    else
        begin(l);
}

void admin_listing_hear(struct admin_listing *l, const struct control_message *message)
{
    if (!l->under_way || message->serial != l->serial)
        return;
    if (message->kind == CONTROL_LIST) {
        l->known = true;
        l->asked = message->count;
    } else if (message->kind == CONTROL_LISTED) {
        l->listed++;
    }
    if (l->known && l->listed >= l->asked)
        finish(l);
}

/* One worker's rows, as far as they were shown. */
struct column {
    const struct listing *listing;
    uint32_t count;
    uint32_t next;
};

static void read_columns(const struct admin_listing *l, struct column *columns)
{
    for (unsigned i = 0; i < l->board->used; i++) {
        const struct listing *listing = &l->slots[i].listing;
        uint32_t count = listing->serial == l->serial ? listing->count : 0;
        columns[i] = (struct column){listing, count < LISTING_MAX ? count : LISTING_MAX, 0};
    }
}

/* The number of the worker that has the oldest row left; 0: none has one. */
static unsigned oldest(const struct column *columns, unsigned count)
{
    unsigned found = 0;
    double since = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct column *c = &columns[i];
        if (c->next == c->count)
            continue;
        if (found == 0 || c->listing->rows[c->next].since < since) {
            found = i + 1;
            since = c->listing->rows[c->next].since;
        }
    }
    return found;
}

static void put_text(struct buf *out, const char *name, char *text, size_t size)
{
    text[size - 1] = '\0';
    buf_printf(out, ",\"%s\":", name);
    overview_write_string(out, text);
}

#define PUT_TEXT(out, row, member) put_text(out, #member, (row)->member, sizeof(row)->member)

static void put_row(struct buf *out, struct listing_row row, unsigned worker, double now)
{
    const char *state =
        (unsigned)row.state < LISTING_STATE_COUNT ? listing_state_name(row.state) : "unknown";
    buf_printf(out, "{\"worker\":%u,\"state\":\"%s\",\"seconds\":%.3f,\"requests\":%llu", worker,
               state, now - row.since, (unsigned long long)row.requests);
    PUT_TEXT(out, &row, peer);
    if (row.id[0] != '\0') {
        PUT_TEXT(out, &row, id);
        PUT_TEXT(out, &row, method);
        PUT_TEXT(out, &row, path);
        PUT_TEXT(out, &row, upstream);
        PUT_TEXT(out, &row, address);
        buf_printf(out, ",\"bytes_in\":%llu,\"bytes_out\":%llu,\"generation\":%llu",
                   (unsigned long long)row.bytes_in, (unsigned long long)row.bytes_out,
                   (unsigned long long)row.generation);
    }
    buf_append_string(out, "}");
}

static void put_note(struct buf *out, const struct admin_listing *l, unsigned shown)
{
    unsigned long long total = 0;
    unsigned silent = l->known && l->asked > l->listed ? l->asked - l->listed : 0;
    for (unsigned i = 0; i < l->board->used; i++) {
        if (l->slots[i].listing.serial == l->serial)
            total += l->slots[i].listing.total;
    }
    buf_printf(out, "],\"total\":%llu,\"shown\":%u", total, shown);
    if (total > shown)
        buf_printf(out, ",\"note\":\"the oldest %u of %llu\"", shown, total);
    if (!l->known || silent > 0)
        buf_printf(out, ",\"silent_workers\":%u", l->known ? silent : board_working(l->board));
    buf_append_string(out, "}\n");
}

void admin_listing_write(struct buf *out, const struct admin_listing *l)
{
    static struct column columns[CREW_MAX];
    double now = sys_monotonic();
    unsigned worker, shown = 0;
    read_columns(l, columns);
    buf_append_string(out, "{\"connections\":[");
    while (shown < LISTING_MAX && (worker = oldest(columns, l->board->used)) > 0) {
        struct column *c = &columns[worker - 1];
        if (shown++ > 0)
            buf_append_string(out, ",\n");
        put_row(out, c->listing->rows[c->next++], worker, now);
    }
    put_note(out, l, shown);
}
