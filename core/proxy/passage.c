/*
 * passage: what stays of an exchange while its tunnel stands, and how both end.
 *
 * Owns the origin's connection, a hold on the generation, and copies of the texts that will be
 * wanted. Promises that the end of a tunnel needs no memory: its line in the access log is made
 * from a view put together on the stack. Before it on a response's way: proxy/response_way.
 */
#include "proxy/passage.h"

#include "base/log.h"
#include "base/sys.h"
#include "http/trace.h"
#include "proxy/listing.h"

#include <string.h>

struct slice passage_text(const struct passage *p, enum passage_text which)
{
    size_t start = which > 0 ? p->ends[which - 1] + 1 : 0;

    return slice_of(p->texts + start, p->ends[which] - start);
}

/* ---- the end ---- */

static void reap_passage(struct doom *d)
{
    passage_free(LIST_OWNER(d, struct passage, doom));
}

/* The exchange sleeps no longer: it ends as any other does. */
static void finish_exchange(struct passage *p, enum outcome outcome, const char *error)
{
    struct policy_result *r = &p->exchange->result;

    r->tunnel_in = p->tunnel.relay[0].bytes;
    r->tunnel_out = p->tunnel.relay[1].bytes;
    r->error = error;
    exchange_finish(p->exchange, outcome);
}

static void log_access(struct passage *p, enum outcome outcome, const char *error)
{
    struct proxy *proxy = p->client->proxy;
    const struct settings *settings = p->generation->settings;
    struct addr client = addr_of_peer(&p->client->peer);
    struct slice codes = passage_text(p, PASSAGE_CODES);
    struct field trace = {.value = passage_text(p, PASSAGE_TRACEPARENT), .id = FIELD_TRACEPARENT};
    struct request request = {
        .head = {.method = passage_text(p, PASSAGE_METHOD),
                 .target = passage_text(p, PASSAGE_TARGET),
                 .minor = p->minor,
                 .fields = &trace,
                 .count = 1,
                 .kinds = 1u << FIELD_TRACEPARENT},
        .host = passage_text(p, PASSAGE_HOST),
    };
    int interims[POLICY_INTERIM_CODES];
    struct policy_result result = {
        .status = 101,
        .outcome = exchange_outcome_name(outcome),
        .error = error,
        .upstream = settings->upstreams[p->upstream].name,
        .address = p->address,
        .expect = p->expect,
        .upgrade = passage_text(p, PASSAGE_PROTOCOL).at,
        .interims = interims,
        .interim_count = p->interim_count,
        .tunnel_in = p->tunnel.relay[0].bytes,
        .tunnel_out = p->tunnel.relay[1].bytes,
        .elapsed = proxy->net.now - p->began,
        .connect = p->connect,
        .first_byte = p->first_byte,
        .reused = p->reused,
    };
    struct policy_view view = {
        .request_id = passage_text(p, PASSAGE_ID).at,
        .request = &request,
        .client = &client,
        .result = &result,
    };

    memcpy(interims, codes.at, codes.len);
    access_add(&proxy->access, settings->access_log, &view);
}

/* Both sides are closed. */
static void end(struct passage *p, enum outcome outcome, const char *error)
{
    struct client *c = p->client;
    struct proxy *proxy = c->proxy;

    proxy->stats->tunnels--;
    pool_discard(p->uplink);
    if (p->exchange != NULL) {
        finish_exchange(p, outcome, error);
    } else {
        exchange_count_outcome(proxy->stats, outcome);
        log_access(p, outcome, error);
        client_over(c, CLIENT_CLOSES);
    }
    /* Behind the connection in the queue: the pool, which the generation has, outlives that. */
    generation_release(p->generation);
    net_doom(&proxy->net, &p->doom, reap_passage);
}

static void on_tunnel_over(struct tunnel *t, enum tunnel_end how)
{
    struct passage *p = LIST_OWNER(t, struct passage, tunnel);
    const char *error = "";

    if (how == TUNNEL_IDLE) {
        error = "the tunnel was idle for too long";
        p->client->proxy->stats->timeouts_tunnel++;
        log_info("%s: no byte through the tunnel for %g s; closed", passage_text(p, PASSAGE_ID).at,
                 t->patience);
    } else if (how == TUNNEL_RESET) {
        error = "one side of the tunnel was reset";
    }
    end(p, OUTCOME_UPSTREAM, error);
}

void passage_close(struct passage *p, const char *why)
{
    tunnel_close(&p->tunnel);
    end(p, OUTCOME_UPSTREAM, why);
}

void passage_abort(struct passage *p)
{
    tunnel_abort(&p->tunnel);
    end(p, OUTCOME_ABORTED, "the proxy stopped");
}

/* ---- the beginning ---- */

static void gather_texts(const struct exchange *x, struct slice protocol,
                         struct slice texts[PASSAGE_TEXTS])
{
    const struct request *r = &x->request;
    enum log_form form = x->settings->access_log;
    size_t codes = x->interim.forwarded;

    texts[PASSAGE_ID] = slice_of_string(x->id);
    texts[PASSAGE_METHOD] = r->head.method;
    texts[PASSAGE_PATH] = r->path;
    if (r->path.len > LISTING_PATH_MAX)
        texts[PASSAGE_PATH].len = LISTING_PATH_MAX;
    if (form == LOG_FORM_NONE)
        return;
    texts[PASSAGE_TARGET] = r->head.target;
    if (form == LOG_FORM_JSON)
        texts[PASSAGE_HOST] = r->host;
    if (trace_id(&r->head).len > 0)
        texts[PASSAGE_TRACEPARENT] = head_find(&r->head, FIELD_TRACEPARENT)->value;
    texts[PASSAGE_PROTOCOL] = protocol;
    if (codes > POLICY_INTERIM_CODES)
        codes = POLICY_INTERIM_CODES;
    texts[PASSAGE_CODES] = slice_of((const char *)x->codes, codes * sizeof *x->codes);
}

static void copy_texts(struct passage *p, const struct slice texts[PASSAGE_TEXTS])
{
    char *to = p->texts;

    for (size_t i = 0; i < PASSAGE_TEXTS; i++) {
        if (texts[i].len > 0)
            memcpy(to, texts[i].at, texts[i].len);
        to += texts[i].len;
        p->ends[i] = (uint32_t)(to - p->texts);
        *to++ = '\0';
    }
}

struct passage *passage_new(struct exchange *x, struct slice protocol)
{
    struct slice texts[PASSAGE_TEXTS] = {0};
    struct passage *p;
    size_t size = PASSAGE_TEXTS; /* of the NULs */

    gather_texts(x, protocol, texts);
    for (size_t i = 0; i < PASSAGE_TEXTS; i++)
        size += texts[i].len;
    p = sys_malloc(sizeof *p + size);
    if (p == NULL)
        return NULL;
    *p = (struct passage){
        .client = x->client,
        .exchange = x,
        .address = origin_address(&x->origin),
        .expect = x->result.expect,
        .connect = x->result.connect,
        .first_byte = x->result.first_byte,
        .began = x->began,
        .upstream = x->view.upstream,
        .interim_count = (uint32_t)x->interim.forwarded,
        .minor = x->request.head.minor,
        .reused = x->result.reused,
    };
    copy_texts(p, texts);
    return p;
}

void passage_free(struct passage *p)
{
    sys_free(p);
}

void passage_open(struct passage *p, struct slice early)
{
    struct exchange *x = p->exchange;
    struct client *c = p->client;
    double patience = x->timeouts->tunnel;
    struct slice early_origin = origin_take_early(&x->origin);

    p->uplink = origin_take(&x->origin);
    p->generation = x->generation;
    generation_hold(p->generation);
    c->proxy->stats->tunnels++;
    if (!policy_has(p->generation->policy, HOOK_LOG)) {
        exchange_leave(x);
        p->exchange = NULL;
    }
    tunnel_open(&p->tunnel, &c->conn, &p->uplink->conn, early, early_origin, &c->deadline, patience,
                on_tunnel_over);
    client_forget_early(c);
}
