/*
 * decisions: where the expectation and the upgrade of an exchange stand, and its final status.
 *
 * The tables are in http/expect, http/interim and http/upgrade; here they are stepped, and nowhere
 * else. Promises that whatever becomes of an expectation, an interim response or an upgrade is
 * counted once and noted for the log, at the step that decides it.
 */
#include "proxy/exchange.h"

static void note_expect(struct exchange *x, enum expect_state before)
{
    struct stats *s = x->proxy->stats;

    if (x->expect == before)
        return;
    switch (x->expect) {
    case EXPECT_STATE_FORWARDED:
        x->result.expect = "forward";
        s->expect_forwarded++;
        break;
    case EXPECT_STATE_STARTED:
        x->result.expect = "forward-started";
        s->expect_started++;
        break;
    case EXPECT_STATE_CONTINUED:
        x->result.expect = "forward-100";
        s->expect_origin_100++;
        break;
    case EXPECT_STATE_TIMED:
        x->result.expect = "forward-timed";
        s->expect_timed++;
        break;
    case EXPECT_STATE_DECLINED:
        x->result.expect = "forward-final";
        s->expect_origin_final++;
        break;
    case EXPECT_STATE_ANSWERED:
        x->result.expect = "continue";
        s->expect_continued++;
        break;
    case EXPECT_STATE_REFUSED:
        x->result.expect = "refused";
        s->expect_refused++;
        break;
    case EXPECT_STATE_IDLE:
    case EXPECT_STATE_ASKED:
    case EXPECT_STATE_COUNT:
        break;
    }
}

static void note_upgrade(struct exchange *x, enum upgrade_state before)
{
    struct stats *s = x->proxy->stats;

    if (x->upgrade == before)
        return;
    switch (x->upgrade) {
    case UPGRADE_STATE_ORDINARY:
        x->result.upgrade = "ordinary";
        s->upgrades_ordinary++;
        break;
    case UPGRADE_STATE_FORWARDED:
        x->result.upgrade = "offered";
        s->upgrades_offered++;
        break;
    case UPGRADE_STATE_DECLINED:
        x->result.upgrade = "declined";
        s->upgrades_declined++;
        break;
    case UPGRADE_STATE_BROKEN:
        x->result.upgrade = "broken";
        s->upgrades_broken++;
        break;
    case UPGRADE_STATE_REFUSED:
        x->result.upgrade = "refused";
        s->upgrades_refused++;
        break;
    case UPGRADE_STATE_SWITCHED: /* by protocol, once the tunnel stands */
    case UPGRADE_STATE_NONE:
    case UPGRADE_STATE_ASKED:
    case UPGRADE_STATE_COUNT:
        break;
    }
}

static void count_forwarded(struct exchange *x, int code)
{
    struct stats *s = x->proxy->stats;

    if (x->interim.forwarded <= POLICY_INTERIM_CODES)
        x->codes[x->interim.forwarded - 1] = code;
    if (code == 100)
        s->interims_100++;
    else if (code == 102)
        s->interims_102++;
    else if (code == 103)
        s->interims_103++;
    else
        s->interims_other++;
}

enum expect_action exchange_expect(struct exchange *x, enum expect_event event)
{
    enum expect_state before = x->expect;
    enum expect_action action = expect_step(&x->expect, event, client_has_input(x->client));

    note_expect(x, before);
    return action;
}

enum upgrade_action exchange_upgrade(struct exchange *x, enum upgrade_event event)
{
    enum upgrade_state before = x->upgrade;
    enum upgrade_action action = upgrade_step(&x->upgrade, event, client_has_input(x->client));

    note_upgrade(x, before);
    return action;
}

enum interim_action exchange_judge(struct exchange *x, int code, size_t bytes, const char **why)
{
    const struct limits *l = &x->settings->limits;
    struct interim_limits limits = {l->interim, l->interim_bytes};
    enum expect_state before = x->expect;
    enum interim_action action =
        interim_step(&x->interim, &limits, code, bytes, x->request.head.minor,
                     x->upgrade == UPGRADE_STATE_FORWARDED, &x->expect, why);

    note_expect(x, before);
    if (action == INTERIM_FORWARD)
        count_forwarded(x, code);
    else if (action == INTERIM_SWALLOW)
        x->proxy->stats->interims_dropped++;
    return action;
}

void exchange_note_status(struct exchange *x, int status)
{
    x->result.status = status;
    if (status >= STATS_STATUS_FIRST && status < STATS_STATUS_FIRST + STATS_STATUSES)
        x->proxy->stats->statuses[status - STATS_STATUS_FIRST]++;
}
