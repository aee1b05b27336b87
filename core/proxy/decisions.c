/*
 * decisions: where the expectation and the upgrade of an exchange stand, and its final status.
 *
 * The tables are in http/expect, http/interim and http/upgrade; here they are stepped, and nowhere
 * else. Promises that whatever becomes of an expectation, an interim response or an upgrade is
 * counted once and noted for the log, at the step that decides it.
 */
#include "proxy/exchange.h"

#include <assert.h>

/* What an expectation or an upgrade has come to: its name in the log, and its counter. A state on
 * the way, or one that is noted elsewhere, has neither. */
struct note {
    const char *name;
    size_t counter; /* in struct stats */
};

#define NOTE(name, counter)                                                                        \
    {                                                                                              \
        name, offsetof(struct stats, counter)                                                      \
    }

static const struct note expectations[EXPECT_STATE_COUNT] = {
    [EXPECT_STATE_FORWARDED] = NOTE("forward", expect_forwarded),
    [EXPECT_STATE_STARTED] = NOTE("forward-started", expect_started),
    [EXPECT_STATE_CONTINUED] = NOTE("forward-100", expect_origin_100),
    [EXPECT_STATE_TIMED] = NOTE("forward-timed", expect_timed),
    [EXPECT_STATE_DECLINED] = NOTE("forward-final", expect_origin_final),
    [EXPECT_STATE_ANSWERED] = NOTE("continue", expect_continued),
    [EXPECT_STATE_REFUSED] = NOTE("refused", expect_refused),
};

/* A switched one is noted by its protocol, once the tunnel stands. */
static const struct note upgrades[UPGRADE_STATE_COUNT] = {
    [UPGRADE_STATE_ORDINARY] = NOTE("ordinary", upgrades_ordinary),
    [UPGRADE_STATE_FORWARDED] = NOTE("offered", upgrades_offered),
    [UPGRADE_STATE_DECLINED] = NOTE("declined", upgrades_declined),
    [UPGRADE_STATE_BROKEN] = NOTE("broken", upgrades_broken),
    [UPGRADE_STATE_REFUSED] = NOTE("refused", upgrades_refused),
};

static void take_note(struct exchange *x, const struct note *note, const char **name)
{
    if (note->name == NULL)
        return;
    uint64_t *counter = (void *)((char *)x->proxy->stats + note->counter);
    *name = note->name;
    *counter += 1;
}

static void note_expect(struct exchange *x, enum expect_state before)
{
    if (x->expect != before)
        take_note(x, &expectations[x->expect], &x->result.expect);
}

static void note_upgrade(struct exchange *x, enum upgrade_state before)
{
    if (x->upgrade != before)
        take_note(x, &upgrades[x->upgrade], &x->result.upgrade);
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

bool exchange_has_early(const struct exchange *x)
{
    return x->upgrade != UPGRADE_STATE_NONE && x->upgrade != UPGRADE_STATE_ORDINARY &&
           client_has_sent(x->client);
}

enum upgrade_action exchange_upgrade(struct exchange *x, enum upgrade_event event)
{
    enum upgrade_state before = x->upgrade;
    enum upgrade_action action = upgrade_step(&x->upgrade, event, exchange_has_early(x));

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
    assert(status >= STATS_STATUS_FIRST && status < STATS_STATUS_FIRST + STATS_STATUSES);
    x->result.status = status;
    x->proxy->stats->statuses[status - STATS_STATUS_FIRST]++;
}
