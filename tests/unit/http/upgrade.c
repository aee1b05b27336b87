/*
 * What a client offers, and which 101 answers it.
 */
#include "http/upgrade.h"

#include "message.h"

#define KEY    "dGhlIHNhbXBsZSBub25jZQ==" /* the pair of RFC 6455 section 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const struct framing no_body = {FRAMING_NONE, 0};

#define STATE(name)  UPGRADE_STATE_##name
#define EVENT(name)  UPGRADE_EVENT_##name
#define ACTION(name) UPGRADE_ACTION_##name

struct rule {
    enum upgrade_action action;
    enum upgrade_state next;
};

#define TO(action, next)                                                                           \
    {                                                                                              \
        UPGRADE_ACTION_##action, UPGRADE_STATE_##next                                              \
    }
#define NEVER(state) TO(IMPOSSIBLE, state), TO(IMPOSSIBLE, state), TO(IMPOSSIBLE, state)

/* Columns: OFFER ORDINARY REFUSE SWITCH MISFIT FINAL PAGE. */
static const struct rule rules[UPGRADE_STATE_COUNT][UPGRADE_EVENT_COUNT] = {
    [STATE(NONE)] = {NEVER(NONE), TO(BAD, NONE), TO(BAD, NONE), TO(RELAY, NONE), TO(RELAY, NONE)},
    [STATE(ASKED)] = {TO(SEND_OFFER, FORWARDED), TO(SEND_PLAIN, ORDINARY), TO(ANSWER, REFUSED),
                      NEVER(ASKED), TO(RELAY, ASKED)},
    [STATE(ORDINARY)] = {NEVER(ORDINARY), TO(BAD, ORDINARY), TO(BAD, ORDINARY), TO(RELAY, ORDINARY),
                         TO(RELAY, ORDINARY)},
    [STATE(FORWARDED)] = {NEVER(FORWARDED), TO(TUNNEL, SWITCHED), TO(BAD, BROKEN),
                          TO(RELAY, DECLINED), TO(RELAY, FORWARDED)},
    [STATE(SWITCHED)] = {NEVER(SWITCHED), NEVER(SWITCHED), TO(RELAY, SWITCHED)},
    [STATE(DECLINED)] = {NEVER(DECLINED), NEVER(DECLINED), TO(RELAY, DECLINED)},
    [STATE(BROKEN)] = {NEVER(BROKEN), NEVER(BROKEN), TO(RELAY, BROKEN)},
    [STATE(REFUSED)] = {NEVER(REFUSED), NEVER(REFUSED), TO(RELAY, REFUSED)},
};

static void every_state_answers_every_event(void **test)
{
    (void)test;
    for (int s = 0; s < UPGRADE_STATE_COUNT; s++)
        for (int e = 0; e < UPGRADE_EVENT_COUNT; e++) {
            enum upgrade_state next = (enum upgrade_state)s;
            assert_int_equal(upgrade_step(&next, (enum upgrade_event)e, false), rules[s][e].action);
            assert_int_equal(next, rules[s][e].next);
        }
}

static void early_bytes_close_what_goes_on_unless_nothing_was_in_question(void **test)
{
    (void)test;
    for (int s = 0; s < UPGRADE_STATE_COUNT; s++)
        for (int e = 0; e < UPGRADE_EVENT_COUNT; e++) {
            enum upgrade_state next = (enum upgrade_state)s;
            enum upgrade_action want = rules[s][e].action;
            bool plain = s == STATE(NONE) || s == STATE(ORDINARY);
            if (want == ACTION(RELAY) && !plain)
                want = ACTION(RELAY_CLOSE);
            assert_int_equal(upgrade_step(&next, (enum upgrade_event)e, true), want);
            assert_int_equal(next, rules[s][e].next);
        }
}

static void a_tunnel_comes_from_a_forwarded_offer_alone(void **test)
{
    (void)test;
    for (int s = 0; s < UPGRADE_STATE_COUNT; s++)
        for (int e = 0; e < UPGRADE_EVENT_COUNT; e++) {
            enum upgrade_state next = (enum upgrade_state)s;
            bool tunnel = upgrade_step(&next, (enum upgrade_event)e, false) == ACTION(TUNNEL);
            assert_int_equal(tunnel, s == STATE(FORWARDED) && e == EVENT(SWITCH));
        }
}

static struct upgrade_offers offers_of(const char *value)
{
    struct upgrade_offers offers = {.count = 0};
    struct slice list = slice_of_string(value);
    while (slice_next_member(&list, &offers.protocol[offers.count]))
        offers.count++;
    return offers;
}

static void assert_offers(const struct upgrade_offers *offers, const char *want)
{
    assert_slice(upgrade_offers_value(offers, &message_arena), want);
}

static void an_upgrade_needs_connection_a_valid_list_and_no_body(void **test)
{
    static const struct {
        const char *fields;
        const char *offered;
    } cases[] = {
        {"", ""},
        {"Upgrade: websocket", ""},
        {"Connection: upgrade", ""},
        {"Connection: close\nUpgrade: websocket", ""},
        {"Connection: Upgrade\nUpgrade: websocket", "websocket"},
        {"Connection: keep-alive, Upgrade\nUpgrade: websocket", "websocket"},
        {"Connection: keep-alive\nConnection: upgrade\nUpgrade: websocket", "websocket"},
        {"Connection: upgrade\nUpgrade: a, b/2 ,,c", "a, b/2, c"},
        {"Connection: upgrade\nUpgrade: a\nUpgrade: b", "a, b"},
        {"Connection: upgrade\nUpgrade:", ""},
        {"Connection: upgrade\nUpgrade: , ,", ""},
        {"Connection: upgrade\nUpgrade: web socket", ""},
        {"Connection: upgrade\nUpgrade: websocket, a b", ""},
        {"Connection: upgrade\nUpgrade: foo/", ""},
        {"Connection: upgrade\nUpgrade: /2", ""},
        {"Connection: upgrade\nUpgrade: a/b/c", ""},
        {"Connection: upgrade\nUpgrade: \"websocket\"", ""},
        {"Connection: upgrade\nUpgrade: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p",
         "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p"},
        {"Connection: upgrade\nUpgrade: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", ""},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head h = message_head(cases[i].fields);
        struct upgrade_offers offers;
        upgrade_read_offers(&h, no_body, &offers);
        assert_offers(&offers, cases[i].offered);
    }
}

static void http10_and_a_body_make_no_upgrade(void **test)
{
    struct head h = message_head("Connection: upgrade\nUpgrade: websocket");
    struct upgrade_offers offers;
    (void)test;
    upgrade_read_offers(&h, (struct framing){FRAMING_LENGTH, 1}, &offers);
    assert_int_equal(offers.count, 0);
    upgrade_read_offers(&h, (struct framing){FRAMING_CHUNKED, 0}, &offers);
    assert_int_equal(offers.count, 0);
    upgrade_read_offers(&h, (struct framing){FRAMING_LENGTH, 0}, &offers);
    assert_int_equal(offers.count, 1);
    h.minor = 0;
    upgrade_read_offers(&h, no_body, &offers);
    assert_int_equal(offers.count, 0);
}

static void the_default_is_websocket_and_nothing_else(void **test)
{
    struct upgrade_offers offered = offers_of("h2c, WebSocket, foo");
    struct upgrade_offers out;
    (void)test;
    upgrade_default(&offered, &out);
    assert_offers(&out, "websocket");
    offered = offers_of("h2c, websocket/2");
    upgrade_default(&offered, &out);
    assert_int_equal(out.count, 0);
    offered = offers_of("websocket, foo");
    upgrade_default(&offered, &offered);
    assert_offers(&offered, "websocket");
}

static void offers_are_found_whatever_their_case(void **test)
{
    struct upgrade_offers offers = offers_of("websocket, Foo/2");
    (void)test;
    assert_true(upgrade_offers_has(&offers, SLICE("WebSocket")));
    assert_true(upgrade_offers_has(&offers, SLICE("foo/2")));
    assert_false(upgrade_offers_has(&offers, SLICE("foo")));
    assert_false(upgrade_offers_has(&offers, SLICE("")));
}

static void without_memory_there_is_no_value(void **test)
{
    struct upgrade_offers offers = offers_of("websocket");
    struct arena none;
    (void)test;
    arena_init(&none, 0);
    assert_null(upgrade_offers_value(&offers, &none).at);
    arena_free(&none);
}

static void the_accept_key_is_that_of_the_rfc(void **test)
{
    char out[29];
    (void)test;
    upgrade_accept_key(SLICE(KEY), out);
    assert_string_equal(out, ACCEPT);
    upgrade_accept_key(slice_of(NULL, 0), out);
    assert_string_equal(out, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

static void a_101_is_checked_against_what_was_forwarded(void **test)
{
    static const struct {
        const char *forwarded;
        const char *request;
        const char *response;
        const char *protocol; /* NULL: 502 */
    } cases[] = {
        {"foo", "", "Connection: upgrade\nUpgrade: foo", "foo"},
        {"foo", "", "Connection: x, Upgrade\nUpgrade: FOO", "FOO"},
        {"foo, bar/1", "", "Connection: upgrade\nUpgrade: bar/1, foo", "bar/1"},
        {"foo", "", "Upgrade: foo", NULL},
        {"foo", "", "Connection: close\nUpgrade: foo", NULL},
        {"foo", "", "Connection: upgrade", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade:", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade: f oo", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade: bar", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade: foo, bar", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade: foo\nUpgrade: bar", NULL},
        {"foo/2", "", "Connection: upgrade\nUpgrade: foo", NULL},
        {"foo", "", "Connection: upgrade\nUpgrade: foo/2", NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: " ACCEPT, "websocket"},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: WebSocket\nsec-websocket-accept: " ACCEPT, "WebSocket"},
        {"websocket", "Sec-WebSocket-Key: " KEY, "Connection: upgrade\nUpgrade: websocket", NULL},
        {"websocket", "", "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: " ACCEPT,
         NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: "
         "s3pplmbitxaq9kygzzhzrbk+xoo=",
         NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept:", NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: " ACCEPT
         "\nSec-WebSocket-Accept: " ACCEPT,
         NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY "\nSec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: " ACCEPT, NULL},
        {"websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade, sec-websocket-accept\nUpgrade: websocket\n"
         "Sec-WebSocket-Accept: " ACCEPT,
         NULL},
        {"websocket/13", "Sec-WebSocket-Key: " KEY, "Connection: upgrade\nUpgrade: websocket/13",
         NULL},
        {"foo, websocket", "Sec-WebSocket-Key: " KEY,
         "Connection: upgrade\nUpgrade: foo, websocket", NULL},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head request = message_head(cases[i].request);
        struct head response = message_head(cases[i].response);
        struct upgrade_offers forwarded = offers_of(cases[i].forwarded);
        struct slice protocol = {NULL, 0};
        struct fault fault = upgrade_check(&request, &forwarded, &response, &protocol);
        assert_int_equal(fault.status, cases[i].protocol != NULL ? 0 : 502);
        if (cases[i].protocol != NULL)
            assert_slice(protocol, cases[i].protocol);
        else
            assert_non_null(fault.why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_answers_every_event),
        cmocka_unit_test(early_bytes_close_what_goes_on_unless_nothing_was_in_question),
        cmocka_unit_test(a_tunnel_comes_from_a_forwarded_offer_alone),
        MESSAGE_TEST(an_upgrade_needs_connection_a_valid_list_and_no_body),
        MESSAGE_TEST(http10_and_a_body_make_no_upgrade),
        MESSAGE_TEST(the_default_is_websocket_and_nothing_else),
        cmocka_unit_test(offers_are_found_whatever_their_case),
        cmocka_unit_test(without_memory_there_is_no_value),
        cmocka_unit_test(the_accept_key_is_that_of_the_rfc),
        MESSAGE_TEST(a_101_is_checked_against_what_was_forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
