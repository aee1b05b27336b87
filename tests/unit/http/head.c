/* What a head promises: fields in order, found by id or name, edited in place, and two readers
 * that never disagree about what lint let through. */
#include "../fact.h"

#include "http/head.h"

#define S(literal) SLICE_INIT(literal)
#define END        "\r\n\r\n"

static const struct lint_limits limits = {
    .start_line = 8192, .head = 100000, .fields = LINT_FIELDS_MAX};

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* --- Ids ------------------------------------------------------------------------------------ */

struct name {
    const char *name;
    enum field_id id;
};

static const struct name names[] = {
    {"Accept", FIELD_ACCEPT},
    {"Authorization", FIELD_AUTHORIZATION},
    {"Connection", FIELD_CONNECTION},
    {"Content-Length", FIELD_CONTENT_LENGTH},
    {"Cookie", FIELD_COOKIE},
    {"Date", FIELD_DATE},
    {"Expect", FIELD_EXPECT},
    {"Forwarded", FIELD_FORWARDED},
    {"Host", FIELD_HOST},
    {"HTTP2-Settings", FIELD_HTTP2_SETTINGS},
    {"Keep-Alive", FIELD_KEEP_ALIVE},
    {"Max-Forwards", FIELD_MAX_FORWARDS},
    {"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION},
    {"Proxy-Connection", FIELD_PROXY_CONNECTION},
    {"Sec-WebSocket-Accept", FIELD_SEC_WEBSOCKET_ACCEPT},
    {"Sec-WebSocket-Key", FIELD_SEC_WEBSOCKET_KEY},
    {"Set-Cookie", FIELD_SET_COOKIE},
    {"TE", FIELD_TE},
    {"Trailer", FIELD_TRAILER},
    {"Transfer-Encoding", FIELD_TRANSFER_ENCODING},
    {"Upgrade", FIELD_UPGRADE},
    {"Via", FIELD_VIA},
    {"X-Forwarded-For", FIELD_X_FORWARDED_FOR},
    {"X-Forwarded-Host", FIELD_X_FORWARDED_HOST},
    {"X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO},
    {"X-Request-Id", FIELD_X_REQUEST_ID},
    {"traceparent", FIELD_TRACEPARENT},
};

static void every_name_has_its_id_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(sizeof names / sizeof names[0], FIELD_COUNT - 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char upper[64], lower[64], longer[64];
        size_t len = strlen(names[i].name);
        for (size_t k = 0; k <= len; k++) {
            lower[k] = slice_lower(names[i].name[k]);
            upper[k] = lower[k] >= 'a' && lower[k] <= 'z' ? (char)(lower[k] - 32) : lower[k];
            longer[k] = lower[k];
        }
        longer[len] = 'x';
        assert_int_equal(field_id_of(slice_of_string(names[i].name)), names[i].id);
        assert_int_equal(field_id_of(slice_of(upper, len)), names[i].id);
        assert_int_equal(field_id_of(slice_of(lower, len)), names[i].id);
        assert_int_equal(field_id_of(slice_of(longer, len + 1)), FIELD_OTHER);
        assert_int_not_equal(field_id_of(slice_of(lower, len - 1)), names[i].id);
    }
    assert_int_equal(field_id_of(SLICE("X-Unknown")), FIELD_OTHER);
    assert_int_equal(field_id_of(SLICE("Content_Length")), FIELD_OTHER);
    assert_int_equal(field_id_of(SLICE("A-Name-Far-Longer-Than-Any-Other")), FIELD_OTHER);
    assert_int_equal(field_id_of(SLICE("")), FIELD_OTHER);
}

static void what_frames_a_message_is_not_for_policies(void **state)
{
    (void)state;
    const enum field_id framing[] = {
        FIELD_CONTENT_LENGTH,   FIELD_TRANSFER_ENCODING,
        FIELD_CONNECTION,       FIELD_UPGRADE,
        FIELD_EXPECT,           FIELD_HOST,
        FIELD_KEEP_ALIVE,       FIELD_TE,
        FIELD_TRAILER,          FIELD_HTTP2_SETTINGS,
        FIELD_PROXY_CONNECTION, FIELD_SEC_WEBSOCKET_KEY,
    };
    size_t count = 0;
    for (int id = 0; id < FIELD_COUNT; id++)
        count += field_is_framing((enum field_id)id);
    assert_int_equal(count, sizeof framing / sizeof framing[0]);
    for (size_t i = 0; i < count; i++)
        assert_true(field_is_framing(framing[i]));
}

/* --- Reading -------------------------------------------------------------------------------- */

static void a_request_is_read(void **state)
{
    (void)state;
    struct head h;
    bool disagreed = true;
    struct slice bytes =
        SLICE("\r\nPUT /a?b HTTP/1.1\r\nHost: a\r\nX-One: 1 \r\nx-one:\r\nTE: \ttrailers" END);
    assert_false(fault_is(head_read_request(&h, &arena, bytes, &limits, &disagreed)));
    assert_false(disagreed);
    assert_text(h.method, "PUT");
    assert_text(h.target, "/a?b");
    assert_int_equal(h.minor, 1);
    assert_int_equal(h.count, 4);
    assert_text(h.fields[0].name, "Host");
    assert_text(h.fields[0].value, "a");
    assert_int_equal(h.fields[0].id, FIELD_HOST);
    assert_text(h.fields[1].value, "1");
    assert_text(h.fields[2].name, "x-one");
    assert_text(h.fields[2].value, "");
    assert_int_equal(h.fields[2].id, FIELD_OTHER);
    assert_text(h.fields[3].value, "trailers");
    assert_ptr_equal(h.fields[0].name.at, bytes.at + 21);
}

static void a_response_is_read(void **state)
{
    (void)state;
    struct head h;
    bool disagreed = true;
    struct slice bytes = SLICE("HTTP/1.0 404 Not Found\r\nContent-Length: 5" END);
    assert_false(fault_is(head_read_response(&h, &arena, bytes, &limits, &disagreed)));
    assert_false(disagreed);
    assert_int_equal(h.status, 404);
    assert_text(h.reason, "Not Found");
    assert_int_equal(h.minor, 0);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.fields[0].id, FIELD_CONTENT_LENGTH);
}

static void a_higher_minor_version_counts_as_one(void **state)
{
    (void)state;
    struct head h;
    bool disagreed;
    struct slice bytes = SLICE("GET / HTTP/1.9" END);
    assert_false(fault_is(head_read_request(&h, &arena, bytes, &limits, &disagreed)));
    assert_int_equal(h.minor, 1);
}

static void a_fault_leaves_what_was_read(void **state)
{
    (void)state;
    struct head h;
    bool disagreed;
    struct slice bytes = SLICE("GET /a HTTP/1.1\r\nA : b" END);
    assert_int_equal(head_read_request(&h, &arena, bytes, &limits, &disagreed).status, 400);
    assert_text(h.method, "GET");
    assert_text(h.target, "/a");
    assert_int_equal(h.count, 0);
    assert_false(disagreed);
}

static void no_memory_is_a_500(void **state)
{
    (void)state;
    struct head h;
    bool disagreed;
    struct arena small;
    arena_init(&small, 10);
    struct slice request = SLICE("GET / HTTP/1.1\r\nHost: a" END);
    struct slice response = SLICE("HTTP/1.1 200 OK\r\nA: b" END);
    assert_int_equal(head_read_request(&h, &small, request, &limits, &disagreed).status, 500);
    assert_false(disagreed);
    assert_int_equal(h.count, 0);
    assert_int_equal(head_read_response(&h, &small, response, &limits, &disagreed).status, 500);
    arena_free(&small);
}

static void a_thousand_fields_are_read(void **state)
{
    (void)state;
    static char text[20000] = "GET / HTTP/1.1\r\n";
    size_t len = 16;
    for (int i = 0; i < LINT_FIELDS_MAX; i++) {
        memcpy(text + len, "Name: value\r\n", 13);
        len += 13;
    }
    memcpy(text + len, "\r\n", 2);
    struct head h;
    bool disagreed;
    assert_false(
        fault_is(head_read_request(&h, &arena, slice_of(text, len + 2), &limits, &disagreed)));
    assert_int_equal(h.count, LINT_FIELDS_MAX);
}

/* --- Two readers ---------------------------------------------------------------------------- */

/* Heads on which http-parser has an opinion of its own; none of them may count. */
struct agreed {
    const char *name;
    struct slice head;
    bool is_response;
};

static const struct agreed agreed_rows[] = {
    {"a method the library does not know", S("FROB / HTTP/1.1\r\nHost: a" END), false},
    {"a method shorter than GET", S("X / HTTP/1.1\r\nHost: a" END), false},
    {"an absolute target", S("GET http://a.b:80/c?d=e HTTP/1.1\r\nHost: a" END), false},
    {"an absolute target of an IPv6 address", S("GET http://[::1]:80?x HTTP/1.1" END), false},
    {"a strange host", S("GET http://aZ09-._~!$&'()*+,;=%2f/ HTTP/1.1" END), false},
    {"an asterisk", S("OPTIONS * HTTP/1.1" END), false},
    {"strange bytes in a target", S("GET /\"<>[\\]^`{|}~?\"<>[\\]^`{|}~?? HTTP/1.1" END), false},
    {"a malformed length", S("POST / HTTP/1.1\r\nContent-Length: x" END), false},
    {"an empty length", S("POST / HTTP/1.1\r\ncontent-length:" END), false},
    {"two lengths", S("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2" END), false},
    {"a length and a coding",
     S("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked" END), false},
    {"another coding", S("POST / HTTP/1.1\r\nTransfer-Encoding: gzip" END), false},
    {"a name that begins like a coding", S("POST / HTTP/1.1\r\nTransfer-Encodingx: gzip" END),
     false},
    {"a name that begins like a length", S("POST / HTTP/1.1\r\nContent-Lengthx: y" END), false},
    {"an upgrade", S("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket" END), false},
    {"a close", S("GET / HTTP/1.1\r\nConnection: close" END), false},
    {"blanks around values", S("GET / HTTP/1.1\r\nA: \t b \t\r\nB: \t\r\nC:\r\nD: e" END), false},
    {"an empty value at the end", S("GET / HTTP/1.1\r\nA: " END), false},
    {"all token bytes in a name", S("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~0aZ: b" END), false},
    {"obs-text", S("GET / HTTP/1.1\r\nA: \x80\xff" END), false},
    {"empty lines first", S("\r\n\r\nGET / HTTP/1.1\r\nHost: a" END), false},
    {"no field", S("GET / HTTP/1.0" END), false},
    {"a response without a reason", S("HTTP/1.1 200" END), true},
    {"a response with an empty reason", S("HTTP/1.1 200 \r\nA: b" END), true},
    {"a reason of blanks", S("HTTP/1.1 200  \t" END), true},
    {"a reason with obs-text", S("HTTP/1.1 200 \xff" END), true},
    {"a 101", S("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x" END), true},
    {"a 103 with a length", S("HTTP/1.1 103 X\r\nContent-Length: x" END), true},
    {"a 204 with chunks", S("HTTP/1.1 204 X\r\nTransfer-Encoding: chunked" END), true},
    {"a status of its own", S("HTTP/1.1 599 X" END), true},
};

static struct fault read_either(struct slice bytes, bool is_response, bool *disagreed)
{
    struct head h;
    return is_response ? head_read_response(&h, &arena, bytes, &limits, disagreed)
                       : head_read_request(&h, &arena, bytes, &limits, disagreed);
}

static void check_agreed(void **state)
{
    const struct agreed *row = *state;
    bool disagreed;
    set_up(NULL);
    struct fault f = read_either(row->head, row->is_response, &disagreed);
    tear_down(NULL);
    assert_false(disagreed);
    assert_int_equal(f.status, 0);
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Joins pieces of heads at random, then changes a few bytes: what lint lets through, and that is
 * a good part of it, http-parser must read alike. */
static size_t make_up_head(char *out, unsigned *seed, bool is_response)
{
    static const char *const starts[] = {"GET / HTTP/1.1",      "X http://a:1/?b HTTP/1.0",
                                         "OPTIONS * HTTP/1.7",  "QUERY /a?b=%20 HTTP/1.1",
                                         "\r\nPOST / HTTP/1.1", "GET https://[::1] HTTP/1.1"};
    static const char *const answers[] = {"HTTP/1.1 200 OK",  "HTTP/1.0 304 ",  "HTTP/1.1 103",
                                          "HTTP/1.3 101 a b", "HTTP/1.1 204 x", "HTTP/1.1 599 x"};
    static const char *const fields[] = {
        "Content-Length: 5",
        "Content-Length:",
        "Transfer-Encoding: chunked",
        "Transfer-EncodingX: y",
        "Connection: close",
        "Connection: Upgrade, keep-alive",
        "Upgrade: websocket, h2c",
        "Proxy-Connection: x",
        "A:\t \t",
        "B: c  d\t",
        "Keep-Alive: 5",
        "Transfer-Encoding: gzip, chunked",
        "c:d",
        "T: u",
        "Content-Lengt: 5",
    };
    const char *start = (is_response ? answers : starts)[next_random(seed) % 6];
    size_t len = strlen(start);
    memcpy(out, start, len);
    for (unsigned n = next_random(seed) % 6; n > 0; n--) {
        const char *field = fields[next_random(seed) % (sizeof fields / sizeof fields[0])];
        memcpy(out + len, "\r\n", 2);
        memcpy(out + len + 2, field, strlen(field));
        len += 2 + strlen(field);
    }
    for (unsigned n = next_random(seed) % 3; n > 0; n--)
        out[next_random(seed) % len] = (char)next_random(seed);
    memcpy(out + len, "\r\n\r\n", 4);
    return len + 4;
}

static void two_readers_never_disagree(void **state)
{
    (void)state;
    unsigned seed = 1;
    unsigned passed = 0;
    for (unsigned i = 0; i < 200000; i++) {
        char bytes[1000];
        bool is_response = i % 2;
        bool disagreed;
        struct slice head = slice_of(bytes, make_up_head(bytes, &seed, is_response));
        struct fault f = read_either(head, is_response, &disagreed);
        if (disagreed)
            fail_msg("head %u: \"%.*s\"", i, SLICE_ARG(head));
        passed += f.status == 0;
        arena_reset(&arena);
    }
    assert_true(passed > 50000);
}

/* --- Fields --------------------------------------------------------------------------------- */

static struct head made_of(const char *const *pairs)
{
    struct head h = {.minor = 1, .arena = &arena};
    for (; *pairs; pairs += 2)
        assert_true(head_add(&h, slice_of_string(pairs[0]), slice_of_string(pairs[1])));
    return h;
}

#define HEAD_OF(...) made_of((const char *const[]){__VA_ARGS__, NULL})

static void assert_fields(const struct head *h, const char *wanted)
{
    char text[1000] = "";
    size_t len = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct field *f = &h->fields[i];
        memcpy(text + len, f->name.at, f->name.len);
        len += f->name.len;
        text[len++] = '=';
        if (f->value.len > 0)
            memcpy(text + len, f->value.at, f->value.len);
        len += f->value.len;
        text[len++] = ' ';
    }
    assert_text(slice_of(text, len), wanted);
}

static void fields_are_found_by_id_and_by_name(void **state)
{
    (void)state;
    struct head h = HEAD_OF("Via", "1.1 a", "X-Y", "z", "via", "1.1 b");
    assert_text(head_find(&h, FIELD_VIA)->value, "1.1 a");
    assert_int_equal(head_count(&h, FIELD_VIA), 2);
    assert_int_equal(head_count(&h, FIELD_HOST), 0);
    assert_null(head_find(&h, FIELD_HOST));
    assert_text(head_find_name(&h, SLICE("x-y"))->value, "z");
    assert_null(head_find_name(&h, SLICE("x-z")));
}

static bool has(const struct head *h, enum field_id id)
{
    bool found = head_find(h, id) != NULL;
    assert_int_equal(head_count(h, id), found);
    assert_int_equal(head_has_token(h, id, SLICE("v")), found);
    return found;
}

static void a_field_is_found_by_its_id_wherever_it_came_from(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice name = slice_of_string(names[i].name);
        enum field_id id = names[i].id;
        struct slice bytes =
            arena_printf(&arena, "HTTP/1.1 200 OK\r\nA: b\r\n%s: v\r\n\r\n", names[i].name);
        struct head read, added = {.arena = &arena}, set = {.arena = &arena};
        bool disagreed;
        assert_false(fault_is(head_read_response(&read, &arena, bytes, &limits, &disagreed)));
        assert_true(has(&read, id));
        assert_false(has(&added, id));
        assert_true(head_add(&added, name, SLICE("v")));
        assert_true(has(&added, id));
        assert_true(head_set(&set, name, SLICE("w")) && head_set(&set, name, SLICE("v")));
        assert_true(has(&set, id));
        head_remove(&read, name);
        assert_false(has(&read, id));
        assert_true(head_add(&read, name, SLICE("v")));
        assert_true(has(&read, id));
        for (int other = 1; other < FIELD_COUNT; other++)
            if (other != (int)id)
                assert_false(has(&read, (enum field_id)other));
    }
}

static void a_token_is_found_in_any_field_of_that_id(void **state)
{
    (void)state;
    struct head h = HEAD_OF("Connection", "te, foo", "A", "close", "connection", "Close");
    assert_true(head_has_token(&h, FIELD_CONNECTION, SLICE("close")));
    assert_true(head_has_token(&h, FIELD_CONNECTION, SLICE("TE")));
    assert_false(head_has_token(&h, FIELD_CONNECTION, SLICE("keep-alive")));
    assert_false(head_has_token(&h, FIELD_UPGRADE, SLICE("close")));
}

static void fields_are_added_at_the_end(void **state)
{
    (void)state;
    struct head h = {.arena = &arena};
    for (const char *c = "abcdefghijklmnopqrstuvwxyz"; *c != '\0'; c++)
        assert_true(head_add(&h, slice_of(c, 1), slice_of(c, 1)));
    assert_fields(&h, "a=a b=b c=c d=d e=e f=f g=g h=h i=i j=j k=k l=l m=m n=n o=o p=p q=q r=r "
                      "s=s t=t u=u v=v w=w x=x y=y z=z ");
    assert_int_equal(head_find_name(&h, SLICE("Z"))->id, FIELD_OTHER);
}

static void setting_replaces_the_first_and_removes_the_others(void **state)
{
    (void)state;
    struct head h = HEAD_OF("A", "1", "Via", "2", "a", "3", "B", "4", "VIA", "5", "via", "6");
    assert_true(head_set(&h, SLICE("via"), SLICE("new")));
    assert_fields(&h, "A=1 via=new a=3 B=4 ");
    assert_int_equal(h.fields[1].id, FIELD_VIA);
    assert_true(head_set(&h, SLICE("C"), SLICE("")));
    assert_fields(&h, "A=1 via=new a=3 B=4 C= ");
}

static void a_field_may_be_set_to_a_part_of_itself(void **state)
{
    (void)state;
    struct head h = HEAD_OF("A", "1", "B", "bc", "B", "de");
    const struct field *b = head_find_name(&h, SLICE("b"));
    assert_true(head_set(&h, b->name, slice_skip(b->value, 1)));
    assert_fields(&h, "A=1 B=c ");
}

static void removing_takes_all_of_a_name(void **state)
{
    (void)state;
    struct head h = HEAD_OF("A", "1", "B", "2", "a", "3", "C", "4");
    head_remove(&h, h.fields[0].name);
    assert_fields(&h, "B=2 C=4 ");
    head_remove(&h, SLICE("Z"));
    assert_fields(&h, "B=2 C=4 ");
}

static void names_and_values_are_copied(void **state)
{
    (void)state;
    struct head h = {.arena = &arena};
    char name[] = "Name", value[] = "value";
    assert_true(head_add(&h, slice_of(name, 4), slice_of(value, 5)));
    memset(name, 'x', 4);
    memset(value, 'x', 5);
    assert_fields(&h, "Name=value ");
}

static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    struct arena small;
    arena_init(&small, 8 * sizeof(struct field) + 16);
    struct head h = {.arena = &small};
    assert_true(head_add(&h, SLICE("A"), SLICE("")));
    assert_false(head_add(&h, SLICE("A-Long-Name"), SLICE("")));
    assert_false(head_set(&h, SLICE("A"), SLICE("a long value")));
    assert_false(head_set(&h, SLICE("B-Long-Name"), SLICE("")));
    assert_fields(&h, "A= ");
    arena_free(&small);

    arena_init(&small, 40);
    h = (struct head){.arena = &small};
    assert_false(head_add(&h, SLICE("A"), SLICE("b")));
    assert_int_equal(h.count, 0);
    arena_free(&small);
}

static void the_size_is_that_on_the_wire(void **state)
{
    (void)state;
    struct head h = HEAD_OF("Host", "a", "B", "");
    assert_int_equal(head_fields_size(&h), strlen("Host: a\r\nB: \r\n"));
    struct head empty = {.arena = &arena};
    assert_int_equal(head_fields_size(&empty), 0);
}

#define WITH_ARENA(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_ARENA(every_name_has_its_id_in_any_case),
        WITH_ARENA(what_frames_a_message_is_not_for_policies),
        WITH_ARENA(a_request_is_read),
        WITH_ARENA(a_response_is_read),
        WITH_ARENA(a_higher_minor_version_counts_as_one),
        WITH_ARENA(a_fault_leaves_what_was_read),
        WITH_ARENA(no_memory_is_a_500),
        WITH_ARENA(a_thousand_fields_are_read),
        WITH_ARENA(two_readers_never_disagree),
        WITH_ARENA(fields_are_found_by_id_and_by_name),
        WITH_ARENA(a_field_is_found_by_its_id_wherever_it_came_from),
        WITH_ARENA(a_token_is_found_in_any_field_of_that_id),
        WITH_ARENA(fields_are_added_at_the_end),
        WITH_ARENA(setting_replaces_the_first_and_removes_the_others),
        WITH_ARENA(a_field_may_be_set_to_a_part_of_itself),
        WITH_ARENA(removing_takes_all_of_a_name),
        WITH_ARENA(names_and_values_are_copied),
        WITH_ARENA(out_of_memory_changes_nothing),
        WITH_ARENA(the_size_is_that_on_the_wire),
    };
    int failed = cmocka_run_group_tests_name("head", tests, NULL, NULL);
    FACT_ADD_TABLE(agreed_rows, check_agreed);
    return failed + fact_run("two readers");
}
