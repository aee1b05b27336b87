/*
 * waits: reads off what each end said and heard who waits for whom, and since when.
 */
#include "waits.h"

#include <math.h>

/* Of default_timeouts. */
#define HEADER     30
#define IDLE       75
#define BODY       30
#define CONNECT    15
#define SEND       60
#define RESPONSE   100 /* and PROCESSING */
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
                                    size_t answered, bool origin_deaf)
{
    const struct entry *question;

    if (answered >= d->asked.count)
        return d->asked.rest.len > 0 && d->asked.bad == NULL ? HEADER + of_hooks(s) : IDLE;
    question = &d->asked.entries[answered];
    /* An origin that cannot be written to any more may still speak: its answer is waited for. */
    if (question->m.whole || origin_deaf || s->blind || wire_field(&question->m, "Expect").len > 0)
        return RESPONSE + of_hooks(s);
    return BODY + of_hooks(s);
}

/* The longest that this client may be left as it is. */
static double longest(const struct stage *s, const struct dialogue *d, const struct end *client,
                      bool origin_deaf)
{
    const struct entry *last = NULL;
    size_t answered = 0;

    for (size_t i = 0; i < d->answered.count; i++) {
        if (wire_status(&d->answered.entries[i].m) < 200)
            continue;
        last = &d->answered.entries[i];
        answered++;
    }
    /* Behind what is not read yet its end is not seen. */
    if (client->own == ENDED && answered + 1 >= d->asked.count && d->asked.rest.len == 0)
        return HALF_CLOSE + LINGER;
    if (last != NULL && !last->m.whole)
        return STALL + WAITS_STEP;
    return longest_before_answer(s, d, answered, origin_deaf);
}

static bool is_deaf(const struct end *e)
{
    return e->paused || e->heard.len == TEXT_MAX;
}

static bool is_any_deaf(const struct end *ends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_deaf(&ends[i]))
            return true;
    return false;
}

/* Of requests whose answers nobody hears, each may take its time, and is found out a step later. */
static size_t unheard(const struct stage *s, const struct books *b)
{
    size_t count = 0;

    for (size_t i = 0; i < b->client_count; i++)
        count += is_deaf(&s->clients[i]) ? b->clients[i].asked.count : 0;
    return count;
}

static bool is_open(const struct end *client)
{
    return client->fd >= 0 && client->parting == HERE;
}

/* Where accepting fails or has to wait, clients are connected to the kernel alone. */
static bool are_accepted(const struct stage *s)
{
    return s->stats.accepted >= s->client_count;
}

const char *waits_overdue(const struct stage *s, double quiet)
{
    bool origin_deaf = is_any_deaf(s->origins, s->origin_count);
    const struct books *b = books_of(s);
    double most;

    if (b == NULL || s->stats.tunnels > 0)
        return NULL;
    most = RESPONSE + of_hooks(s) + WAITS_LONG * (double)unheard(s, b);
    if (quiet > most && s->stats.open + s->stats.upstream_open > 0)
        return "a connection is left open when all that it can wait for has taken too long";
    if (is_any_deaf(s->clients, s->client_count) || !are_accepted(s))
        return NULL;
    for (size_t i = 0; i < b->client_count; i++)
        if (is_open(&s->clients[i]) &&
            quiet > longest(s, &b->clients[i], &s->clients[i], origin_deaf))
            return "a client is left waiting longer than it may be";
    return NULL;
}

double waits_next_look(double quiet)
{
    static const double looks[] = {1.1, 3.1, 10.1, 15.1, 30.1, 45.1, 60.1, 76.1, 90.1, 101};

    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (looks[i] > quiet)
            return looks[i];
    return quiet < WAITS_LONG ? WAITS_LONG : quiet + WAITS_LONG;
}

/* ---- too short ---- */

/* When the first byte behind the request before this one was sent: it may be an empty line. */
static double begun(const struct dialogue *d, const struct end *client, size_t question)
{
    size_t first = 0;

    if (question > 0 && question <= d->asked.count)
        first = client->sent - d->asked.entries[question - 1].after.len;
    return end_when(&client->said_at, first);
}

/* When the last byte of its head was sent; NAN: not yet. */
static double put(const struct dialogue *d, const struct end *client, size_t question)
{
    struct slice head = SLICE_INIT("");

    if (question < d->asked.count)
        head = d->asked.entries[question].m.head;
    return head.len > 0
               ? end_when(&client->said_at, (size_t)(head.at - client->said.bytes) + head.len - 1)
               : (double)NAN;
}

/* When it last sent something before that time; NAN: not known. */
static double last_said(const struct end *client, double before)
{
    const struct moments *m = &client->said_at;
    double at = (double)NAN;

    for (size_t i = 0; i < m->count && m->of[i].at < before - EARLY; i++)
        at = m->of[i].at;
    return m->count < MARKS_MAX ? at : (double)NAN;
}

/* Whether before that time some of its body had been sent, and not all. Every byte of a body with a
 * length is progress, what frames chunks is not. */
static bool is_half_body(const struct dialogue *d, const struct end *client, size_t question,
                         double then)
{
    const struct entry *e = question < d->asked.count ? &d->asked.entries[question] : NULL;

    if (e == NULL || e->m.body.len == 0 || wire_field(&e->m, "Content-Length").len == 0)
        return false;
    return !e->m.whole || end_when(&client->said_at, client->sent - e->after.len - 1) >= then;
}

/* When it heard the last 102 before this answer to the same request; NAN: it did not. */
static double last_promise(const struct dialogue *d, const struct end *client,
                           const struct entry *answer)
{
    double at = (double)NAN;

    for (const struct entry *e = d->answered.entries; e < answer; e++)
        if (e->question == answer->question && wire_status(&e->m) == 102)
            at = end_when(&client->heard_at, (size_t)(e->m.head.at - client->heard.bytes));
    return at;
}

/* A time that is not known is not too short. */
static const char *judge_moment(const struct dialogue *d, const struct end *client,
                                const struct entry *answer, double heard, bool prompt)
{
    size_t question = answer->question;
    bool halfway = prompt && is_half_body(d, client, question, heard);

    switch (wire_status(&answer->m)) {
    case 408:
        if (heard - begun(d, client, question) < HEADER - EARLY)
            return "a client heard too soon that it took too long";
        if (halfway && heard - last_said(client, heard) < BODY - EARLY)
            return "a client heard too soon that its body stopped";
        return NULL;
    case 522:
        if (heard - put(d, client, question) < CONNECT - EARLY)
            return "a client heard too soon that an origin did not take its request";
        if (heard - last_promise(d, client, answer) < SEND - EARLY)
            return "a client heard too soon that an origin did not keep its word";
        return NULL;
    case 524:
        if (heard - put(d, client, question) < RESPONSE - EARLY)
            return "a client heard too soon that an origin did not answer";
        if (halfway && heard - last_said(client, heard) < RESPONSE - EARLY)
            return "an origin's answer was due in the middle of a body";
        return NULL;
    default:
        return NULL;
    }
}

const char *waits_cut_short(const struct stage *s, const struct dialogue *d,
                            const struct end *client)
{
    const char *wrong = NULL;

    for (size_t i = 0; i < d->answered.count && wrong == NULL; i++) {
        const struct entry *answer = &d->answered.entries[i];
        double heard =
            end_when(&client->heard_at, (size_t)(answer->m.head.at - client->heard.bytes));
        if (wire_field(&answer->m, "X-For").len == 0)
            wrong = judge_moment(d, client, answer, heard, !s->blind);
    }
    return wrong;
}
