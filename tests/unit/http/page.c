/*
 * The proxy's own answers, and the form each client gets.
 */
#include "http/page.h"

#include "message.h"

static void the_form_follows_accept(void **test)
{
    static const struct {
        const char *accept; /* NULL: no field */
        enum page_form form;
    } cases[] = {
        {NULL, PAGE_TEXT},
        {"", PAGE_TEXT},
        {"*/*", PAGE_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PAGE_HTML},
        {"application/json", PAGE_JSON},
        {"application/json, text/plain, */*", PAGE_JSON},
        {"text/plain", PAGE_TEXT},
        {"TEXT/HTML", PAGE_HTML},
        {"text/html;charset=utf-8", PAGE_HTML},
        {"image/png", PAGE_TEXT},
        {"text/*", PAGE_TEXT},
        {"application/*", PAGE_JSON},
        {"text/plain, application/json", PAGE_JSON},
        {"text/plain, application/json, text/html", PAGE_HTML},
        {"text/html;q=0.5, application/json", PAGE_JSON},
        {"text/html; q=0.5, application/json;q=0.501", PAGE_JSON},
        {"text/html;q=0.5, application/json;q=0.5", PAGE_HTML},
        {"text/html;q=0.3, */*;q=0.4", PAGE_TEXT},
        {"text/html;q=0.4, */*;q=0.4", PAGE_HTML},
        {"text/html;Q=0, */*", PAGE_TEXT},
        {"text/plain;q=0, */*", PAGE_HTML},
        {"text/*;q=0, */*", PAGE_JSON},
        {"text/html;q=0", PAGE_TEXT},
        {"*/*;q=0.1, application/json;q=0.2", PAGE_JSON},
        {"application/json;q=2, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=0x1, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=0.1x, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=0.1-, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=0.0001, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=, text/html;q=0.9", PAGE_JSON},
        {"application/json;q=0.8, text/html;q=1.000", PAGE_HTML},
        {"application/json;q=0., text/html;q=0.001", PAGE_HTML},
        {";;, ,;q=1", PAGE_TEXT},
    };
    (void)test;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head h = message_head("X: text/html");
        if (cases[i].accept != NULL)
            assert_true(head_add(&h, SLICE("accept"), slice_of_string(cases[i].accept)));
        assert_int_equal(page_choose(&h), cases[i].form);
    }
}

static void several_accept_fields_are_one_list(void **test)
{
    struct head h = message_head("Accept: text/plain;q=0.5\nAccept: application/json");
    (void)test;
    assert_int_equal(page_choose(&h), PAGE_JSON);
}

static struct slice make(struct head *head, enum page_form form, int status, const char *detail,
                         const char *id)
{
    struct slice body;
    assert_true(page_make(head, &body, &message_arena, form, status, slice_of_string(detail),
                          slice_of_string(id)));
    return body;
}

static void a_page_tells_its_type_and_is_never_stored(void **test)
{
    static const struct {
        enum page_form form;
        const char *type;
    } cases[] = {
        {PAGE_HTML, "text/html; charset=utf-8"},
        {PAGE_JSON, "application/json"},
        {PAGE_TEXT, "text/plain; charset=utf-8"},
    };
    (void)test;
    for (size_t i = 0; i < 3; i++) {
        struct head h;
        make(&h, cases[i].form, 504, "", "");
        assert_int_equal(h.status, 504);
        assert_int_equal(h.count, 2);
        assert_slice(h.reason, "Gateway Timeout");
        assert_slice(head_find_name(&h, SLICE("content-type"))->value, cases[i].type);
        assert_slice(head_find_name(&h, SLICE("cache-control"))->value, "no-store");
    }
}

static void text_is_one_or_two_lines(void **test)
{
    struct head h;
    (void)test;
    assert_slice(make(&h, PAGE_TEXT, 504, "", ""),
                 "504 Gateway Timeout: No answer came from the origin in time.\n");
    assert_slice(make(&h, PAGE_TEXT, 504, "a & \x1b[b\n", "000000000000002a"),
                 "504 Gateway Timeout: No answer came from the origin in time. a & ?[b?\n"
                 "Request 000000000000002a\n");
    assert_slice(make(&h, PAGE_TEXT, 599, "", ""), "599: The request could not be served.\n");
}

static void json_is_json_whatever_the_detail(void **test)
{
    struct head h;
    (void)test;
    assert_slice(make(&h, PAGE_JSON, 504, "", "000000000000002a"),
                 "{\"status\":504,\"error\":\"Gateway Timeout\","
                 "\"message\":\"No answer came from the origin in time.\","
                 "\"id\":\"000000000000002a\"}\n");
    assert_slice(make(&h, PAGE_JSON, 502, "a\"b\\c\xff\td", ""),
                 "{\"status\":502,\"error\":\"Bad Gateway\",\"message\":\"The origin could not be "
                 "reached, or its answer could not be understood.\","
                 "\"detail\":\"a\\\"b\\\\c??d\"}\n");
}

static bool holds(struct slice body, const char *text)
{
    return memmem(body.at, body.len, text, strlen(text)) != NULL;
}

static void html_shows_status_reason_sentence_and_id_and_escapes(void **test)
{
    struct head h;
    struct slice body = make(&h, PAGE_HTML, 403, "<b a=\"'\">&", "ffffffffffffffff");
    (void)test;
    assert_true(slice_starts(body, SLICE("<!doctype html>\n")));
    assert_true(slice_ends(body, SLICE("</html>\n")));
    assert_true(holds(body, "<title>403 Forbidden</title>"));
    assert_true(holds(body, "<h1>403 Forbidden</h1>"));
    assert_true(holds(body, "<p>This request is not allowed.</p>"));
    assert_true(holds(body, "<p>&lt;b a=&quot;'&quot;&gt;&amp;</p>"));
    assert_true(holds(body, "<code>ffffffffffffffff</code>"));
    assert_true(holds(body, "color-scheme: light dark"));

    body = make(&h, PAGE_HTML, 403, "", "");
    assert_false(holds(body, "<code>"));
    assert_false(holds(body, "<p></p>"));
    assert_false(holds(body, "(null)"));
}

static void a_long_detail_is_cut(void **test)
{
    char detail[3000];
    struct head h;
    (void)test;
    memset(detail, '"', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    struct slice body = make(&h, PAGE_JSON, 500, detail, "");
    assert_true(body.len > 2 * 1024 && body.len < 2 * 1024 + 200);
    assert_true(slice_ends(body, SLICE("\\\"\"}\n")));
}

static void a_405_says_what_is_allowed(void **test)
{
    struct head h;
    (void)test;
    make(&h, PAGE_TEXT, 405, "", "");
    const struct field *allow = head_find_name(&h, SLICE("allow"));
    assert_non_null(allow);
    assert_true(slice_list_has(allow->value, SLICE("GET")));
    assert_false(slice_list_has(allow->value, SLICE("TRACE")));
}

static void every_status_has_a_sentence(void **test)
{
    (void)test;
    for (int status = 200; status <= 599; status++) {
        struct slice s = slice_of_string(page_sentence(status));
        assert_true(s.len > 10 && slice_ends(s, SLICE(".")));
        for (size_t i = 0; i < s.len; i++)
            assert_true(s.at[i] >= ' ' && s.at[i] <= '~' && strchr("<>&\"\\%", s.at[i]) == NULL);
    }
}

static void origin_failures_have_names(void **test)
{
    static const int statuses[] = {520, 521, 522, 523, 524};
    (void)test;
    for (size_t i = 0; i < 5; i++) {
        struct head h;
        make(&h, PAGE_TEXT, statuses[i], "", "");
        assert_true(h.reason.len > 0);
    }
}

/* Whether a page can be made when `spare` bytes of an arena are left. */
static bool fits(enum page_form form, size_t spare)
{
    enum { ROOM = 16384 };
    struct arena small;
    struct head h;
    struct slice body = {NULL, 0};
    arena_init(&small, ROOM);
    for (size_t left = ROOM; left > spare && arena_alloc(&small, 1) != NULL;)
        left -= 16;
    bool made = page_make(&h, &body, &small, form, 405, SLICE("detail"), SLICE("7"));
    assert_true(!made || body.len > 0);
    arena_free(&small);
    return made;
}

static void without_memory_there_is_no_page(void **test)
{
    (void)test;
    for (int form = PAGE_HTML; form <= PAGE_TEXT; form++) {
        assert_false(fits((enum page_form)form, 0));
        assert_true(fits((enum page_form)form, 8192));
        for (size_t spare = 16; spare < 4096; spare += 16)
            fits((enum page_form)form, spare);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGE_TEST(the_form_follows_accept),
        MESSAGE_TEST(several_accept_fields_are_one_list),
        MESSAGE_TEST(a_page_tells_its_type_and_is_never_stored),
        MESSAGE_TEST(text_is_one_or_two_lines),
        MESSAGE_TEST(json_is_json_whatever_the_detail),
        MESSAGE_TEST(html_shows_status_reason_sentence_and_id_and_escapes),
        MESSAGE_TEST(a_long_detail_is_cut),
        MESSAGE_TEST(a_405_says_what_is_allowed),
        cmocka_unit_test(every_status_has_a_sentence),
        MESSAGE_TEST(origin_failures_have_names),
        cmocka_unit_test(without_memory_there_is_no_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
