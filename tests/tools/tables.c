/*
 * Prints the tables of core/README.md from what the program itself is made of: the lists of states,
 * events and actions, and the rules as they answer. tests/tools/tables keeps the page the same.
 */
#include "proxy/exchange.h"
#include "proxy/listing.h"
#include "proxy/stats.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct word {
    const char *name;
    const char *text;
};

#define WORD(name, text) {#name, text},
#define COUNT(list)      (sizeof(list) / sizeof *(list))

static const struct word interim_kinds[] = {INTERIM_KINDS(WORD)};
static const struct word interim_clients[] = {INTERIM_CLIENTS(WORD)};
static const struct word interim_actions[] = {INTERIM_ACTIONS(WORD)};
static const struct word expect_states[] = {EXPECT_STATES(WORD)};
static const struct word expect_events[] = {EXPECT_EVENTS(WORD)};
static const struct word expect_actions[] = {EXPECT_ACTIONS(WORD)};
static const struct word upgrade_states[] = {UPGRADE_STATES(WORD)};
static const struct word upgrade_events[] = {UPGRADE_EVENTS(WORD)};
static const struct word upgrade_actions[] = {UPGRADE_ACTIONS(WORD)};
static const struct word request_steps[] = {REQUEST_STEPS(WORD)};
static const struct word response_steps[] = {RESPONSE_STEPS(WORD)};
static const struct word listing_states[] = {LISTING_STATES(WORD)};
static const struct word counters[] = {STATS(WORD)};

/* SEND_HEAD is shown as "send head", IMPOSSIBLE as a dash. */
static void put_name(const char *name)
{
    if (strcmp(name, "IMPOSSIBLE") == 0) {
        printf("–");
        return;
    }
    for (; *name != '\0'; name++)
        putchar(*name == '_' ? ' ' : tolower((unsigned char)*name));
}

static void put_title(const char *title, const char *about)
{
    printf("\n### %s\n\n%s\n", title, about);
}

static void put_list(const char *kind, const struct word *words, size_t count)
{
    printf("\n| %s | |\n| --- | --- |\n", kind);
    for (size_t i = 0; i < count; i++) {
        printf("| ");
        put_name(words[i].name);
        printf(" | %s |\n", words[i].text);
    }
}

static void put_columns(const struct word *words, size_t count, bool names)
{
    printf("\n| |");
    for (size_t i = 0; i < count; i++) {
        printf(" ");
        if (names)
            put_name(words[i].name);
        else
            printf("%s", words[i].text);
        printf(" |");
    }
    printf("\n| --- |");
    for (size_t i = 0; i < count; i++)
        printf(" --- |");
    printf("\n");
}

/* What is done, and where that leads if it leads anywhere. */
static void put_cell(const char *action, const char *next)
{
    printf(" ");
    put_name(action);
    if (next != NULL) {
        printf(" → ");
        put_name(next);
    }
    printf(" |");
}

static void put_interim(void)
{
    put_title("Interim responses", "`http/interim.c`. Within `limits.interim` and "
                                   "`limits.interim_bytes`; a 100 is also an event of the next "
                                   "table, which may drop it.");
    put_columns(interim_clients, COUNT(interim_clients), false);
    for (size_t k = 0; k < COUNT(interim_kinds); k++) {
        printf("| **%s** |", interim_kinds[k].text);
        for (size_t c = 0; c < COUNT(interim_clients); c++)
            put_cell(
                interim_actions[interim_rule((enum interim_kind)k, (enum interim_client)c)].name,
                NULL);
        printf("\n");
    }
    put_list("action", interim_actions, COUNT(interim_actions));
}

static void put_expect_row(size_t state, bool sending)
{
    printf("| **");
    put_name(expect_states[state].name);
    printf("%s** |", sending ? ", body bytes wait" : "");
    for (size_t e = 0; e < COUNT(expect_events); e++) {
        enum expect_state next = (enum expect_state)state;
        enum expect_action action = expect_step(&next, (enum expect_event)e, sending);
        put_cell(expect_actions[action].name, next == state ? NULL : expect_states[next].name);
    }
    printf("\n");
}

static void put_expect(void)
{
    put_title("Expect: 100-continue", "`http/expect.c`. Each cell is an action, and the state it "
                                      "leads to.");
    put_columns(expect_events, COUNT(expect_events), true);
    for (size_t s = 0; s < COUNT(expect_states); s++) {
        put_expect_row(s, false);
        if (s == EXPECT_STATE_ASKED)
            put_expect_row(s, true);
    }
    put_list("state", expect_states, COUNT(expect_states));
    put_list("event", expect_events, COUNT(expect_events));
    put_list("action", expect_actions, COUNT(expect_actions));
}

/* Bytes behind the head change an action in some states: both are shown. */
static void put_upgrade_cell(size_t state, size_t event)
{
    enum upgrade_state next = (enum upgrade_state)state;
    enum upgrade_state early_next = next;
    enum upgrade_action action = upgrade_step(&next, (enum upgrade_event)event, false);
    enum upgrade_action early = upgrade_step(&early_next, (enum upgrade_event)event, true);

    printf(" ");
    put_name(upgrade_actions[action].name);
    if (early != action) {
        printf(", early bytes: ");
        put_name(upgrade_actions[early].name);
    }
    if (next != state) {
        printf(" → ");
        put_name(upgrade_states[next].name);
    }
    printf(" |");
}

static void put_upgrade(void)
{
    put_title("Upgrade", "`http/upgrade.c`. Early bytes are those that came behind the request's "
                         "head: after a failed offer they are nobody's request.");
    put_columns(upgrade_events, COUNT(upgrade_events), true);
    for (size_t s = 0; s < COUNT(upgrade_states); s++) {
        printf("| **");
        put_name(upgrade_states[s].name);
        printf("** |");
        for (size_t e = 0; e < COUNT(upgrade_events); e++)
            put_upgrade_cell(s, e);
        printf("\n");
    }
    put_list("state", upgrade_states, COUNT(upgrade_states));
    put_list("event", upgrade_events, COUNT(upgrade_events));
    put_list("action", upgrade_actions, COUNT(upgrade_actions));
}

static void put_counters(void)
{
    put_title("Counters", "`proxy/stats.h`; SIGUSR1 logs them.");
    printf("\n| counter | |\n| --- | --- |\n");
    for (size_t i = 0; i < COUNT(counters); i++)
        printf("| `%s` | %s |\n", counters[i].name, counters[i].text);
}

int main(void)
{
    put_interim();
    put_expect();
    put_upgrade();
    put_title("The steps of an exchange", "`proxy/exchange.h`.");
    put_list("the request's way", request_steps, COUNT(request_steps));
    put_list("the response's way", response_steps, COUNT(response_steps));
    put_title("What a client is doing", "`proxy/listing.h`; `/connections` shows it.");
    put_list("state", listing_states, COUNT(listing_states));
    put_counters();
    return 0;
}
