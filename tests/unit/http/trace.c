/* Which ids from elsewhere count. */
#include "http/trace.h"

#include "message.h"

static const char *taken(const char *fields, bool trusted, size_t left)
{
    static char id[TRACE_REQUEST_ID_MAX + 1];
    struct head h = message_head(fields);

    strcpy(id, "ours");
    trace_take_request_id(&h, trusted, id);
    assert_int_equal(head_count(&h, FIELD_X_REQUEST_ID), left);
    assert_int_equal(head_count(&h, FIELD_HOST), 1);
    return id;
}

static void a_trusted_peers_id_is_taken(void **test)
{
    (void)test;
    assert_string_equal(taken("Host: h\nx-request-id: aZ09-._~+/=:@", true, 1), "aZ09-._~+/=:@");
    assert_string_equal(
        taken("X-Request-Id: 0123456789012345678901234567890123456789012345678901234"
              "567890123\nHost: h",
              true, 1),
        "0123456789012345678901234567890123456789012345678901234567890123");
}

static void any_other_is_taken_away(void **test)
{
    (void)test;
    assert_string_equal(taken("Host: h\nX-Request-Id: a", false, 0), "ours");
    assert_string_equal(taken("X-Request-Id: a\nHost: h\nX-Request-Id: a", true, 0), "ours");
    assert_string_equal(taken("Host: h\nX-Request-Id:", true, 0), "ours");
    assert_string_equal(taken("Host: h", true, 0), "ours");
    assert_string_equal(taken("X-Request-Id: 01234567890123456789012345678901234567890123456789"
                              "012345678901234\nHost: h",
                              true, 0),
                        "ours");
}

static void every_byte_is_allowed_or_not(void **test)
{
    (void)test;
    for (int b = 1; b < 256; b++) {
        char fields[] = "Host: h\nX-Request-Id: a_b";
        bool good = b < 0x7f && strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                                       "XYZ-._~+/=:@",
                                       b) != NULL;
        if (b == '\n')
            continue;
        fields[sizeof fields - 3] = (char)b;
        assert_string_equal(taken(fields, true, good), good ? fields + sizeof fields - 4 : "ours");
    }
}

#define GOOD_BEHIND_VERSION "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define GOOD                "00" GOOD_BEHIND_VERSION

static void a_well_formed_traceparent_has_a_trace_id(void **test)
{
    static const char *const good[] = {GOOD,
                                       "cc"
                                       "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-x y"};
    char fields[256];
    (void)test;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        strcpy(fields, "TraceParent: ");
        strcat(fields, good[i]);
        struct head h = message_head(fields);
        assert_slice(trace_id(&h), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}

/* Cut anywhere, or with any one byte replaced by one that may not stand there. */
static void any_other_has_none(void **test)
{
    char fields[] = "traceparent: " GOOD;
    size_t at = strlen("traceparent: ");
    (void)test;

    for (size_t i = at; i < sizeof fields - 1; i++) {
        char kept = fields[i];
        for (const char *b = "gG-A \xff"; *b != '\0'; b++) {
            if (*b == kept)
                continue;
            fields[i] = *b;
            struct head h = message_head(fields);
            assert_slice(trace_id(&h), "");
        }
        fields[i] = '\0';
        struct head h = message_head(fields);
        assert_slice(trace_id(&h), "");
        fields[i] = kept;
    }
    static const char *const none[] = {
        ("ff" GOOD_BEHIND_VERSION),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        strcpy(fields + at, none[i]);
        struct head h = message_head(fields);
        assert_slice(trace_id(&h), "");
    }
    struct head h = message_head("traceparent: " GOOD "\ntraceparent: " GOOD);
    assert_slice(trace_id(&h), "");
    /* A later version may go on behind another dash; this one ends. */
    h = message_head("traceparent: " GOOD "-more");
    assert_slice(trace_id(&h), "");
    h = message_head("traceparent: cc" GOOD_BEHIND_VERSION "more");
    assert_slice(trace_id(&h), "");
    h = message_head("Host: h");
    assert_slice(trace_id(&h), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGE_TEST(a_trusted_peers_id_is_taken),
        MESSAGE_TEST(any_other_is_taken_away),
        MESSAGE_TEST(every_byte_is_allowed_or_not),
        MESSAGE_TEST(a_well_formed_traceparent_has_a_trace_id),
        MESSAGE_TEST(any_other_has_none),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
