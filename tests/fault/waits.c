/*
 * waits: reads off what each end said and heard who waits for whom, and since when.
 */
#include "waits.h"

#include <string.h>

/* Of default_timeouts. */
#define HEADER     30
#define IDLE       75
#define BODY       30
#define CONNECT    15
#define RESPONSE   100
#define STALL      60
#define HALF_CLOSE 1
#define HOOK       10
#define LINGER     2

/* A timer of the loop's may be so much early. */
#define EARLY 0.01

/* ---- too long ---- */

static double of_hooks(const struct stage *s)
{
    return s->hooks_wait ? HOOK : 0;
}

/* What it waits for with nothing of an answer under way, after so many that are whole. */
static double longest_before_answer(const struct stage *s, const struct dialogue *d,
                                    size_t answered, bool origin_paused)
{
    const struct entry *question;

    if (answered >= d->asked.count)
        return d->asked.rest.len > 0 && d->asked.bad == NULL ? HEADER + of_hooks(s) : IDLE;
    question = &d->asked.entries[answered];
    if (question->m.whole || origin_paused || wire_field(&question->m, "Expect").len > 0)
        return RESPONSE + of_hooks(s);
    return BODY + of_hooks(s);
}

/* The longest that this client may be left as it is. */
static double longest(const struct stage *s, const struct dialogue *d, const struct end *client,
                      bool origin_paused)
{
    const struct entry *last = NULL;
    size_t answered = 0;

    if (client->own == ENDED)
        return HALF_CLOSE + LINGER;
    for (size_t i = 0; i < d->answered.count; i++) {
        if (wire_status(&d->answered.entries[i].m) < 200)
            continue;
        last = &d->answered.entries[i];
        answered++;
    }
    if (last != NULL && !last->m.whole)
        return STALL + WAITS_STEP;
    return longest_before_answer(s, d, answered, origin_paused);
}

static bool is_paused(const struct end *ends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ends[i].paused)
            return true;
    return false;
}

static bool is_open(const struct end *client)
{
    return client->fd >= 0 && client->parting == HERE;
}

/* Where accepting fails, clients are connected to the kernel alone. */
static bool are_accepted(const struct stage *s)
{
    size_t open = 0;

    for (size_t i = 0; i < s->client_count; i++)
        open += is_open(&s->clients[i]);
    return open <= s->stats.open;
}

const char *waits_overdue(const struct stage *s, double quiet)
{
    bool client_paused = is_paused(s->clients, s->client_count);
    bool origin_paused = is_paused(s->origins, s->origin_count);
    const struct books *b;

    if (s->stats.tunnels > 0)
        return NULL;
    /* Of those behind one another, who hear nothing of it, each may have its time. */
    if (client_paused && origin_paused)
        return NULL;
    if (quiet > RESPONSE + of_hooks(s) && s->stats.open + s->stats.upstream_open > 0)
        return "a connection is left open when all that it can wait for has taken too long";
    b = books_of(s);
    if (b == NULL || client_paused || !are_accepted(s))
        return NULL;
    for (size_t i = 0; i < b->client_count; i++)
        if (is_open(&s->clients[i]) &&
            quiet > longest(s, &b->clients[i], &s->clients[i], origin_paused))
            return "a client is left waiting longer than it may be";
    return NULL;
}

double waits_next_look(double quiet)
{
    static const double looks[] = {1.1, 3.1, 10.1, 15.1, 30.1, 45.1, 60.1, 76.1, 90.1, 101, 111};

    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (looks[i] > quiet)
            return looks[i];
    return 0;
}

/* ---- too short ---- */

/* Since when it can have waited for this answer: its first byte, or all of its head or of itself,
 * was sent. NAN: not known. */
static double since(const struct dialogue *d, const struct end *end, const struct entry *answer,
                    bool head)
{
    const struct message *m;

    if (answer->question >= d->asked.count)
        return end_when(&end->said_at, (size_t)(d->asked.rest.at - end->said.bytes));
    m = &d->asked.entries[answer->question].m;
    return end_when(&end->said_at,
                    (size_t)(m->head.at - end->said.bytes) + (head ? m->head.len - 1 : 0));
}

const char *waits_cut_short(const struct dialogue *client, const struct end *end)
{
    for (size_t i = 0; i < client->answered.count; i++) {
        const struct entry *answer = &client->answered.entries[i];
        double heard =
            end_when(&end->heard_at, (size_t)(answer->m.head.at - end->heard.bytes)) + EARLY;
        unsigned status = wire_status(&answer->m);
        bool own = wire_field(&answer->m, "X-For").len == 0;
        if (own && status == 408 && heard - since(client, end, answer, false) < HEADER)
            return "a client heard too soon that it took too long";
        if (own && status == 522 && heard - since(client, end, answer, true) < CONNECT)
            return "a client heard too soon that an origin did not take its request";
        if (own && status == 524 && heard - since(client, end, answer, true) < RESPONSE)
            return "a client heard too soon that an origin did not answer";
    }
    return NULL;
}
