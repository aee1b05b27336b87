/*
 * oracle: reads again what both ends heard, and compares it with what they said.
 */
#include "oracle.h"

#include "wire.h"

#include <stdio.h>
#include <string.h>

#define REQUESTS_MAX 16

/* What a client asked, in order. */
struct asked {
    char target;
    bool head, old, upgrade;
};

struct questions {
    struct asked asked[REQUESTS_MAX];
    size_t count;
};

static bool has(struct slice s, const char *text)
{
    return s.len > 0 && memmem(s.at, s.len, text, strlen(text)) != NULL;
}

static struct slice heard_by(const struct end *e)
{
    return slice_of(e->heard.bytes, e->heard.len);
}

/* Bytes that are no request, or only the beginning of one, may have one answer too. */
static struct questions questions_of(const struct end *client)
{
    struct slice in = slice_of(client->said.bytes, client->said.len);
    struct questions q = {.count = 0};
    struct message m;

    if (slice_starts(in, SLICE("PROXY "))) {
        size_t end = slice_find(in, '\n');
        in = slice_skip(in, end < in.len ? end + 1 : end);
    }
    while (q.count < REQUESTS_MAX - 1 && wire_next(&in, false, false, &m) && m.bad == NULL) {
        const char *slash = memchr(m.line.at, '/', m.line.len);
        if (has(m.line, "/smuggled"))
            return q;
        q.asked[q.count++] = (struct asked){
            .target = slash != NULL ? slash[1] : '?',
            .head = slice_starts(m.line, SLICE("HEAD ")),
            .old = slice_ends(m.line, SLICE("HTTP/1.0")),
            .upgrade = wire_field(&m, "Upgrade").len > 0,
        };
    }
    if (in.len > 0 || m.bad != NULL)
        q.asked[q.count++] = (struct asked){.target = '?'};
    return q;
}

/* True if a body that looks whole is what its sender meant. */
static bool is_as_meant(const struct message *m)
{
    struct slice size = wire_field(m, "X-Size");
    uint64_t n;

    if (m->body.len == 0 || memchr(m->body.at, '!', m->body.len) != m->body.at + m->body.len - 1)
        return false;
    return size.len == 0 || (slice_to_number(size, &n) && n == m->body.len);
}

static const char *judge_final(const struct message *m, const struct asked *asked, bool any_end)
{
    struct slice label = wire_field(m, "X-For");
    bool open_ended = wire_field(m, "X-Open").len > 0;

    if (label.len > 0 && (label.len != 2 || label.at[1] != asked->target))
        return "an answer to another request";
    if (label.len > 0 && m->framed && m->whole && !(open_ended && any_end) && !is_as_meant(m))
        return "a response that looks whole and is not";
    return NULL;
}

static const char *judge_client(const struct stage *s, const struct end *client)
{
    bool ended = client->parting == ENDED && s->resets_show;
    struct questions q = questions_of(client);
    struct slice in = heard_by(client);
    struct message m;
    size_t finals = 0;
    bool closed = false;

    while (wire_next(&in, finals < q.count && q.asked[finals].head, ended, &m)) {
        const struct asked *asked = &q.asked[finals];
        const char *wrong;
        if (m.bad != NULL || wire_status(&m) < 100)
            return m.bad != NULL ? m.bad : "a client heard what is no response";
        if (finals == q.count)
            return "an answer that nobody asked for";
        if (closed)
            return "an answer behind the last one";
        if (wire_status(&m) < 200 && asked->old)
            return "an interim response in HTTP/1.0";
        if (wire_status(&m) == 101)
            return asked->upgrade ? NULL : "a 101 that nobody asked for";
        if (wire_status(&m) < 200)
            continue;
        wrong = judge_final(&m, asked, s->origin_ended_early);
        if (wrong != NULL)
            return wrong;
        finals++;
        closed = slice_equals_nocase(wire_field(&m, "Connection"), SLICE("close"));
    }
    return closed && in.len > 0 ? "bytes behind the last answer" : NULL;
}

static const char *judge_request(const struct message *m)
{
    const char *slash = memchr(m->line.at, '/', m->line.len);

    if (m->bad != NULL)
        return m->bad;
    if (slash == NULL || slash[2] != ' ' || !slice_ends(m->line, SLICE(" HTTP/1.1")))
        return "the origin heard bytes of a body as a request";
    if (m->framed && m->whole && !is_as_meant(m))
        return "the origin heard a body that looks whole and is not";
    return NULL;
}

static const char *judge_origin(const struct end *origin, unsigned posts[256])
{
    struct slice in = heard_by(origin);
    struct message m;

    while (wire_next(&in, false, false, &m)) {
        const char *wrong = judge_request(&m);
        const char *slash = memchr(m.line.at, '/', m.line.len);
        if (wrong != NULL)
            return wrong;
        if (slice_starts(m.line, SLICE("POST ")) && wire_field(&m, "Expect").len == 0 &&
            ++posts[(unsigned char)slash[1]] > 1)
            return "a POST was sent twice";
        if (origin->switched && wire_field(&m, "Upgrade").len > 0)
            return NULL; /* a tunnel's bytes are its own */
    }
    return NULL;
}

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

const char *oracle_judge(const struct stage *s)
{
    unsigned posts[256] = {0};
    const char *wrong = s->wrong != NULL ? s->wrong : judge_counters(s);

    for (size_t i = 0; i < s->client_count && wrong == NULL; i++)
        wrong = judge_client(s, &s->clients[i]);
    for (size_t i = 0; i < s->origin_count && wrong == NULL; i++)
        wrong = judge_origin(&s->origins[i], posts);
    return wrong;
}

size_t oracle_answers(const struct stage *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->client_count; i++) {
        struct questions q = questions_of(&s->clients[i]);
        struct slice in = heard_by(&s->clients[i]);
        struct message m;
        size_t finals = 0;
        while (finals < q.count &&
               wire_next(&in, q.asked[finals].head, s->clients[i].parting == ENDED, &m) &&
               wire_status(&m) != 101)
            finals += m.whole && wire_status(&m) >= 200;
        count += finals;
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

static void tell_end(struct teller *t, const struct end *e, const struct questions *q)
{
    static const char *const partings[] = {[HERE] = "\n", [ENDED] = " END\n", [RESET] = " RESET\n"};
    struct slice in = heard_by(e);
    struct message m;
    size_t finals = 0;
    size_t from = t->len;

    while (wire_next(&in, q != NULL && finals < q->count && q->asked[finals].head,
                     e->parting == ENDED, &m)) {
        tell(t, m.head);
        tell(t, m.body);
        tell(t, m.whole ? SLICE(" WHOLE\n") : SLICE(" CUT\n"));
        finals += wire_status(&m) >= 200;
    }
    tell(t, in);
    tell(t, slice_of_string(partings[e->parting]));
    blank(t, from);
}

size_t oracle_tell(const struct stage *s, char *out, size_t size)
{
    struct teller t = {out, 0, size};

    for (size_t i = 0; i < s->client_count; i++) {
        struct questions q = questions_of(&s->clients[i]);
        tell(&t, SLICE("A CLIENT HEARD\n"));
        tell_end(&t, &s->clients[i], &q);
    }
    for (size_t i = 0; i < s->origin_count; i++) {
        tell(&t, SLICE("AN ORIGIN HEARD\n"));
        tell_end(&t, &s->origins[i], NULL);
    }
    return t.len;
}
