/*
 * oracle: compares what one side heard with what the other side said. See oracle.h.
 */
#include "oracle.h"

#include "waits.h"

#include <string.h>

static bool is_prefix(struct slice of, struct slice s)
{
    return s.len == 0 || slice_starts(of, s);
}

/* A body that looks whole is all of what was said, any other is the beginning of it. */
static bool is_body_of(const struct message *heard, const struct message *said)
{
    if (heard->whole)
        return said->whole && slice_equals(heard->body, said->body);
    return is_prefix(said->body, heard->body);
}

/* ---- clients ---- */

static bool has_body(const struct message *response, const struct entry *question)
{
    unsigned status = wire_status(response);
    return status != 204 && status != 304 && !entry_method_is(question, "HEAD");
}

/* Whether an origin that said this had heard that. */
static bool is_for(const struct dialogue *origin, const struct entry *said,
                   const struct entry *question)
{
    return said->question < origin->asked.count &&
           entry_same_request(&origin->asked.entries[said->question], question);
}

/* Whether this is what the origin answered to that. */
static bool was_said(const struct dialogue *origin, const struct message *heard,
                     const struct entry *question)
{
    for (size_t i = 0; i < origin->answered.count; i++) {
        const struct entry *said = &origin->answered.entries[i];
        if (said->m.bad == NULL && !said->unasked && wire_status(&said->m) == wire_status(heard) &&
            is_for(origin, said, question) &&
            slice_equals(wire_field(&said->m, "X-For"), wire_field(heard, "X-For")) &&
            (!has_body(heard, question) || is_body_of(heard, &said->m)))
            return true;
    }
    return false;
}

static const char *judge_final(const struct books *b, const struct message *m,
                               const struct entry *question)
{
    if (wire_field(m, "X-For").len == 0)
        return NULL; /* the proxy's own */
    for (size_t i = 0; i < b->origin_count && question != NULL; i++)
        if (was_said(&b->origins[i], m, question))
            return NULL;
    return "an answer that no origin gave to this request, or not all of it that looks whole";
}

static const char *judge_switch(const struct books *b, const struct entry *heard,
                                const struct entry *question)
{
    if (question == NULL || wire_field(&question->m, "Upgrade").len == 0)
        return "a 101 that nobody asked for";
    for (size_t i = 0; i < b->origin_count; i++) {
        const struct book *said = &b->origins[i].answered;
        if (said->count > 0 && wire_status(&said->entries[said->count - 1].m) == 101 &&
            is_prefix(said->rest, heard->after))
            return NULL;
    }
    return "what came through a tunnel no origin said";
}

/* How many of each status from 100 to 199. */
struct interims {
    size_t of[100];
};

static void count_interims(struct interims *n, const struct book *book)
{
    for (size_t i = 0; i < book->count; i++) {
        unsigned status = wire_status(&book->entries[i].m);
        if (status >= 100 && status < 200)
            n->of[status - 100]++;
    }
}

/* A 100 may be the proxy's own; all others were said by an origin. */
static const char *judge_interims(const struct books *b, const struct dialogue *client)
{
    struct interims said = {{0}}, heard = {{0}};

    for (size_t i = 0; i < b->origin_count; i++)
        count_interims(&said, &b->origins[i].answered);
    for (size_t i = 0; i < client->asked.count; i++)
        said.of[0] += wire_field(&client->asked.entries[i].m, "Expect").len > 0;
    count_interims(&heard, &client->answered);
    for (size_t i = 0; i < 100; i++)
        if (heard.of[i] > said.of[i])
            return "an interim response that no origin sent";
    return NULL;
}

/* Whether an origin answered what it had no time to hear: whose answer is whose, and which of them
 * has a body, nobody can tell then. */
static bool is_unclear(const struct books *b)
{
    for (size_t i = 0; i < b->origin_count; i++) {
        const struct dialogue *d = &b->origins[i];
        size_t count = d->answered.count;
        if (d->deaf && count > 0 && d->answered.entries[count - 1].question >= d->asked.count)
            return true;
    }
    return false;
}

static const char *judge_client(const struct books *b, const struct dialogue *client)
{
    const struct book *asked = &client->asked, *answered = &client->answered;
    /* Bytes that are no request, or only the beginning of one, may have one answer too. */
    size_t questions = asked->count + (asked->bad != NULL || asked->rest.len > 0);
    bool unclear = is_unclear(b), closed = false;
    const char *wrong = unclear ? NULL : judge_interims(b, client);

    for (size_t i = 0; i < answered->count && wrong == NULL; i++) {
        const struct entry *e = &answered->entries[i];
        const struct entry *q = e->question < asked->count ? &asked->entries[e->question] : NULL;
        unsigned status = wire_status(&e->m);
        if (e->m.bad != NULL || !slice_starts(e->m.line, SLICE("HTTP/1.1 ")))
            return "a client heard a head that is not ours";
        if (e->question == questions)
            return "an answer that nobody asked for";
        if (closed)
            return "an answer behind the last one";
        if (status < 200 && q != NULL && slice_ends(q->m.line, SLICE("HTTP/1.0")))
            return "an interim response in HTTP/1.0";
        if (status == 101)
            return unclear ? NULL : judge_switch(b, e, q);
        wrong = unclear || status < 200 ? NULL : judge_final(b, &e->m, q);
        if (status == 204 && wire_field(&e->m, "Content-Length").len > 0)
            return "a 204 that speaks of a body";
        closed =
            status >= 200 && slice_equals_nocase(wire_field(&e->m, "Connection"), SLICE("close"));
    }
    if (wrong != NULL)
        return wrong;
    if (answered->bad != NULL)
        return "a client heard what is no response";
    return closed && answered->rest.len > 0 ? "bytes behind the last answer" : NULL;
}

/* ---- origins ---- */

/* How often this was asked, in all these dialogues; heads that wait for leave to send their body
 * only if `expecting`. */
static size_t count_asked(const struct dialogue *dialogues, size_t count, const struct entry *what,
                          bool expecting)
{
    size_t asked = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < dialogues[i].asked.count; k++) {
            const struct entry *e = &dialogues[i].asked.entries[k];
            bool waits = wire_field(&e->m, "Expect").len > 0 && !e->m.whole;
            asked += entry_same_request(e, what) && (expecting || !waits);
        }
    return asked;
}

static bool is_idempotent(const struct entry *e)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (entry_method_is(e, methods[i]))
            return true;
    return false;
}

/* Sent again at most once, and only what may be; an expectation kept the body back. */
static const char *judge_count(const struct books *b, const struct entry *e)
{
    size_t asked = count_asked(b->clients, b->client_count, e, true);

    if (!is_idempotent(e) && count_asked(b->origins, b->origin_count, e, false) > asked)
        return "a request was sent twice that must not be";
    if (count_asked(b->origins, b->origin_count, e, true) > 2 * asked)
        return "a request was sent three times";
    return NULL;
}

/* Whether a client asked for just this, and, behind it, said what went through the tunnel. */
static bool was_asked(const struct books *b, const struct entry *heard, bool tunnel)
{
    for (size_t i = 0; i < b->client_count; i++)
        for (size_t k = 0; k < b->clients[i].asked.count; k++) {
            const struct entry *said = &b->clients[i].asked.entries[k];
            if (entry_same_request(said, heard) && is_body_of(&heard->m, &said->m) &&
                (!tunnel || is_prefix(said->after, heard->after)))
                return true;
        }
    return false;
}

/* Whether it was asked to say 100 before any of this body came, and has not done so. */
static bool is_held(const struct dialogue *origin, const struct entry *answer)
{
    const struct entry *question = &origin->asked.entries[answer->question];

    for (size_t i = 0; i < origin->answered.count; i++) {
        const struct entry *e = &origin->answered.entries[i];
        if (e->question == answer->question && wire_status(&e->m) == 100)
            return false;
    }
    return wire_field(&question->m, "Expect").len > 0;
}

/* Behind a final answer that came before all of its request, nobody can tell what is a body and
 * what another request: there may be none, and no body either where the answer took the place of a
 * 100 (RFC 9110 section 10.1.1, RFC 9112 section 9.3). */
static const char *judge_early(const struct dialogue *origin, const struct end *end)
{
    for (size_t i = 0; i < origin->answered.count; i++) {
        const struct entry *answer = &origin->answered.entries[i];
        const struct book *asked = &origin->asked;
        size_t heard = end_heard_at(end, (size_t)(answer->m.head.at - end->said.bytes));
        const struct entry *question;
        if (wire_status(&answer->m) < 200 || answer->question >= asked->count || heard == SIZE_MAX)
            continue;
        question = &asked->entries[answer->question];
        if (!question->m.framed || heard >= end->heard.len - question->after.len)
            continue;
        if (answer->question + 1 < asked->count)
            return "a request on a connection whose last one was answered too early";
        if (question->m.head.at + question->m.head.len == end->heard.bytes + heard &&
            is_held(origin, answer))
            return "a body behind an answer that was given in the place of a 100";
    }
    return NULL;
}

static const char *judge_origin(const struct books *b, const struct dialogue *origin)
{
    const struct book *asked = &origin->asked, *answered = &origin->answered;
    bool switched = answered->count > 0 &&
                    wire_status(&answered->entries[answered->count - 1].m) == 101 &&
                    answered->entries[answered->count - 1].question + 1 == asked->count;

    for (size_t i = 0; i < asked->count; i++) {
        const struct entry *e = &asked->entries[i];
        const char *wrong = judge_count(b, e);
        if (!slice_ends(e->m.line, SLICE(" HTTP/1.1")) || wire_field_count(&e->m, "Host") != 1)
            return "an origin heard a head that is not ours";
        if (!was_asked(b, e, switched && i + 1 == asked->count))
            return "an origin heard what nobody asked, or not all of it that looks whole";
        if (wrong != NULL)
            return wrong;
    }
    return asked->bad != NULL ? "an origin heard what is no request" : NULL;
}

/* ---- the worker ---- */

static const char *judge_counters(const struct stage *s)
{
    const struct stats *n = &s->stats;

    if (n->requests != n->answered_upstream + n->answered_here + n->aborted + n->cut)
        return "requests that ended in no way, or in two";
    if (n->active != 0 || n->open != 0 || n->upstream_open != 0 || n->tunnels != 0)
        return "a gauge that is not 0 at the end";
    if (n->accepted != n->closed)
        return "a client that was not closed, or twice";
    if (n->generations != 0)
        return "a generation outlives the worker";
    if (n->disagreements != 0)
        return "two readers of a head disagree";
    if (s->log_lines + n->log_lost != n->requests)
        return "not one line of the access log for each request";
    if (faults_blocks() != 0)
        return "memory is lost";
    return faults_sockets() != 0 ? "a socket is lost" : NULL;
}

/* Whoever smuggles gets more requests out of the worker than it knows of. */
static const char *judge_sum(const struct stage *s, const struct books *b)
{
    uint64_t sent = 0, heard = 0;

    for (size_t i = 0; i < STATS_ORIGINS; i++)
        sent += s->stats.origins[i].requests;
    for (size_t i = 0; i < b->origin_count; i++)
        heard += b->origins[i].asked.count;
    return heard > sent ? "origins heard more requests than were sent" : NULL;
}

const char *oracle_judge(const struct stage *s)
{
    const struct books *b = books_of(s);
    const char *wrong = s->wrong != NULL ? s->wrong : judge_counters(s);

    if (b == NULL || wrong != NULL)
        return wrong;
    for (size_t i = 0; i < b->client_count && wrong == NULL; i++)
        wrong = judge_client(b, &b->clients[i]);
    for (size_t i = 0; i < b->client_count && wrong == NULL; i++)
        wrong = waits_cut_short(s, &b->clients[i], &s->clients[i]);
    for (size_t i = 0; i < b->origin_count && wrong == NULL; i++)
        wrong = judge_origin(b, &b->origins[i]);
    for (size_t i = 0; i < b->origin_count && wrong == NULL && !s->blind; i++)
        wrong = judge_early(&b->origins[i], &s->origins[i]);
    return wrong != NULL ? wrong : judge_sum(s, b);
}

/* Where a reset does not show, nobody can say whether what only the end ends is whole: it counts.
 */
static bool is_answer(const struct message *m, const struct end *client)
{
    bool open_ended =
        wire_field(m, "Content-Length").len == 0 && wire_field(m, "Transfer-Encoding").len == 0;
    return wire_status(m) >= 200 && (m->whole || (open_ended && client->parting == ENDED));
}

size_t oracle_answers(const struct stage *s)
{
    const struct books *b = books_of(s);
    size_t count = 0;

    for (size_t i = 0; b != NULL && i < b->client_count; i++) {
        const struct book *answered = &b->clients[i].answered;
        for (size_t k = 0; k < answered->count; k++)
            count += is_answer(&answered->entries[k].m, &s->clients[i]);
    }
    return count;
}

/* ---- telling ---- */

struct teller {
    char *out;
    size_t len, size;
};

static void tell(struct teller *t, struct slice s)
{
    size_t n = s.len < t->size - t->len ? s.len : t->size - t->len;

    if (n > 0)
        memcpy(t->out + t->len, s.at, n);
    t->len += n;
}

static void blank(struct teller *t, size_t from)
{
    static const char date[] = "\r\nDate: ";

    for (size_t i = from; i + sizeof date + 29 < t->len; i++)
        if (memcmp(t->out + i, date, sizeof date - 1) == 0)
            memset(t->out + i + sizeof date - 1, '-', 29);
    for (size_t i = from; i + 16 < t->len; i++) {
        size_t n = 0;
        while (n < 16 && memchr("0123456789abcdef", t->out[i + n], 16) != NULL)
            n++;
        if (n == 16)
            memset(t->out + i, '-', 16);
    }
}

static void tell_end(struct teller *t, const struct end *e, const struct book *heard)
{
    static const char *const partings[] = {[HERE] = "\n", [ENDED] = " END\n", [RESET] = " RESET\n"};
    size_t from = t->len;

    for (size_t i = 0; i < heard->count; i++) {
        const struct message *m = &heard->entries[i].m;
        tell(t, m->head);
        tell(t, m->body);
        tell(t, m->whole ? SLICE(" WHOLE\n") : SLICE(" CUT\n"));
    }
    tell(t, heard->rest);
    tell(t, slice_of_string(partings[e->parting]));
    blank(t, from);
}

size_t oracle_tell(const struct stage *s, char *out, size_t size)
{
    const struct books *b = books_of(s);
    struct teller t = {out, 0, size};

    for (size_t i = 0; b != NULL && i < b->client_count; i++) {
        tell(&t, SLICE("A CLIENT HEARD\n"));
        tell_end(&t, &s->clients[i], &b->clients[i].answered);
    }
    for (size_t i = 0; b != NULL && i < b->origin_count; i++) {
        tell(&t, SLICE("AN ORIGIN HEARD\n"));
        tell_end(&t, &s->origins[i], &b->origins[i].asked);
    }
    return t.len;
}
