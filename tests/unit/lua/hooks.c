/*
 * What each hook may answer, and what becomes of every other answer.
 */
#include "scene.h"

static void assert_answer(const struct verdict *v, int status)
{
    assert_int_equal(v->kind, VERDICT_ANSWER);
    assert_int_equal(v->status, status);
}

static void assert_failed(struct scene *s, const struct verdict *v, const char *log)
{
    assert_int_equal(v->kind, VERDICT_FAILED);
    assert_true(scene_logged(s, log));
    scene_forget_log(s);
}

/* Defines every hook as `body`, and prepares what each is told. */
static void every_hook(struct scene *s, const char *cpu, const char *before, const char *body)
{
    static char fields[16384];
    size_t n = (size_t)snprintf(fields, sizeof fields, "limits = { hook_cpu = '%s' },", cpu);
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        n += (size_t)snprintf(fields + n, sizeof fields - n, "%s = function(a, b) %s end,\n",
                              policy_hook_name((enum policy_hook)hook), body);
    scene_policy(s, before, fields);
    scene_begin(s, SCENE_UPGRADE);
    scene_answer(s, SCENE_200);
}

static void a_hook_that_is_not_defined_has_no_bit(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "", "expect = function() end");
    assert_int_equal(s->policy->hooks, 1u << HOOK_EXPECT);
}

static void nil_is_the_default_in_every_hook(void **state)
{
    struct scene *s = *state;
    every_hook(s, "50ms", "", "return nil");
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        assert_int_equal(scene_ask(s, (enum policy_hook)hook)->kind, VERDICT_DEFAULT);
}

static void a_status_is_a_final_answer_in_every_hook_but_log(void **state)
{
    struct scene *s = *state;
    every_hook(s, "50ms", "", "return 403");
    for (int hook = 0; hook < HOOK_LOG; hook++) {
        assert_answer(scene_ask(s, (enum policy_hook)hook), 403);
        assert_false(s->call.verdict.has_body);
        assert_int_equal(s->call.verdict.field_count, 0);
    }
    assert_failed(s, scene_ask(s, HOOK_LOG),
                  "1-7f: the log hook failed: returned 403; it may return nil only "
                  "(the function at policy.lua:9); nothing else happens");
}

static void an_answer_brings_its_fields_and_body(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "request = function() return { status = 413, headers = { ['X-B'] = 2, ['x-a'] = "
                 "{ 'one', ' two ' } }, body = 'no\\n' } end");
    const struct verdict *v = scene_ask(s, HOOK_REQUEST);
    assert_answer(v, 413);
    assert_int_equal(v->field_count, 4);
    assert_true(slice_equals(v->fields[0].name, SLICE("X-B")));
    assert_true(slice_equals(v->fields[0].value, SLICE("2")));
    assert_true(slice_equals(v->fields[1].name, SLICE("content-type")));
    assert_true(slice_equals(v->fields[1].value, SLICE("text/plain; charset=utf-8")));
    assert_true(slice_equals(v->fields[2].value, SLICE("one")));
    assert_true(slice_equals(v->fields[3].value, SLICE("two")));
    assert_true(v->has_body);
    assert_true(slice_equals(v->body, SLICE("no\n")));
}

static void an_answer_with_a_content_type_keeps_it(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "request = function() return { status = 200, headers = { ['Content-Type'] = "
                 "'application/json' }, body = '' } end");
    const struct verdict *v = scene_ask(s, HOOK_REQUEST);
    assert_int_equal(v->field_count, 1);
    assert_true(slice_equals(v->fields[0].value, SLICE("application/json")));
    assert_true(v->has_body);
    assert_int_equal(v->body.len, 0);
}

static void expect_knows_forward_and_continue(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local n = 0",
                 "expect = function() n = n + 1 return n == 1 and 'forward' or 'continue' end");
    scene_begin(s, SCENE_PUT);
    assert_int_equal(scene_ask(s, HOOK_EXPECT)->kind, VERDICT_FORWARD);
    assert_int_equal(scene_ask(s, HOOK_EXPECT)->kind, VERDICT_CONTINUE);
}

static void a_misspelt_word_fails_and_lists_what_is_allowed(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "", "expect = function() return 'foward' end");
    assert_failed(s, scene_ask(s, HOOK_EXPECT),
                  "1-7f: the expect hook failed: returned \"foward\"; it may return nil, "
                  "\"forward\", \"continue\", a status from 200 to 599, or { status =, headers =, "
                  "body = } (the function at policy.lua:3); the request is refused with 500");
}

static void a_wrong_type_fails_in_every_hook(void **state)
{
    struct scene *s = *state;
    every_hook(s, "50ms", "", "return print");
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        assert_failed(s, scene_ask(s, (enum policy_hook)hook),
                      "returned a function; it may return nil");
}

static void a_number_that_is_no_final_status_fails(void **state)
{
    static const char *const numbers[] = {"101", "199", "600", "0", "-1", "200.5", "0/0", "1/0"};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char hook[100];
        snprintf(hook, sizeof hook, "request = function() return %s end", numbers[i]);
        scene_policy(s, "", hook);
        assert_failed(s, scene_ask(s, HOOK_REQUEST), "a status from 200 to 599");
        scene_drop(s);
    }
}

static void an_answer_that_cannot_be_sent_fails_and_says_why(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "answer: status must be a whole number from 200 to 599, not nil"},
        {"{ body = 'x' }", "answer: status must be a whole number"},
        {"{ status = '200' }",
         "answer: status must be a whole number from 200 to 599, not \"200\""},
        {"{ status = 200, boddy = 'x' }",
         "answer: unknown key \"boddy\"; did you mean \"body\"?; there are status, headers, body"},
        {"{ status = 200, 7 }", "answer: unknown key 1; there are status, headers, body"},
        {"{ 401, 'x' }", "; there are status, headers, body"},
        {"{ status = 200, headers = { link = { 'a', rel = 'b' } } }",
         "answer: in the list headers[\"link\"] the key \"rel\" is no place"},
        {"{ status = 200, headers = { link = { 'a', nil, 'b' } } }",
         "answer: in the list headers[\"link\"] place 2 is empty"},
        {"{ status = 200, body = 5 }", "answer: body must be text, not number"},
        {"{ status = 200, body = {} }", "answer: body must be text, not table"},
        {"{ status = 200, headers = 'x' }", "answer: headers must be a table, not string"},
        {"{ status = 200, headers = { 'x' } }", "answer: headers must be a table from names"},
        {"{ status = 200, headers = { ['a b'] = 'x' } }", "\"a b\" is not a field name"},
        {"{ status = 200, headers = { [''] = 'x' } }", "\"\" is not a field name"},
        {"{ status = 200, headers = { a = 'x\\r\\ny: z' } }",
         "headers[\"a\"] holds a control byte"},
        {"{ status = 200, headers = { a = 'x\\0' } }", "headers[\"a\"] holds a control byte"},
        {"{ status = 200, headers = { a = true } }", "headers[\"a\"] must be text or a list"},
        {"{ status = 200, headers = { a = { 'x', {} } } }",
         "headers[\"a\"] must be text or a list"},
        {"{ status = 200, headers = { ['Content-Length'] = 1 } }",
         "\"Content-Length\" is written by the proxy alone"},
        {"{ status = 200, headers = { ['transfer-encoding'] = 'chunked' } }",
         "\"transfer-encoding\" is written by the proxy alone"},
        {"{ status = 200, headers = { connection = 'close' } }",
         "\"connection\" is written by the proxy alone"},
        {"{ status = 200, body = ('x'):rep(2e6) }", "more than an exchange may hold"},
        {"{ status = 200, body = ('x'):rep(2^23 + 1) }",
         "answer: a body of 8388609 bytes is over 8 MiB"},
        {"{ status = 200, headers = { a = ('x'):rep(40000) } }",
         "answer: more header fields than limits.fields (128 here at most) and limits.head "
         "allow"},
        {"{ status = 200, headers = { a = {}, b = {}, c = {}, d = {}, e = {}, f = {}, g = {}, h = "
         "{}, "
         "i = {} } }",
         "answer: more header fields than limits.fields (128 here at most) and limits.head "
         "allow"},
        {"{ status = 200, headers = { a = { 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x' } } }",
         "answer: more header fields than limits.fields (128 here at most) and limits.head "
         "allow"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hook[200];
        snprintf(hook, sizeof hook, "limits = { fields = 8 }, request = function() return %s end",
                 cases[i][0]);
        scene_policy(s, "", hook);
        assert_failed(s, scene_ask(s, HOOK_REQUEST), cases[i][1]);
        scene_drop(s);
    }
}

/* Leaves so many pieces of 16 bytes in the arena of a new exchange; true if it has as many. */
static bool begin_with_room_for(struct scene *s, size_t pieces)
{
    size_t all = 0;
    scene_begin(s, SCENE_GET);
    while (arena_alloc(&s->arena, 16) != NULL)
        all++;
    scene_begin(s, SCENE_GET);
    for (size_t i = 0; i + pieces < all; i++)
        assert_non_null(arena_alloc(&s->arena, 16));
    return pieces <= all;
}

static void an_answer_that_finds_no_room_fails_at_whatever_step(void **state)
{
    struct scene *s = *state;
    size_t failed = 0;
    scene_policy(s, "",
                 "request = function() return { status = 200, body = 'z', headers = { a = "
                 "('x'):rep(100), ['x-b'] = 'y' } } end");
    while (begin_with_room_for(s, failed)) {
        const struct verdict *v = scene_ask(s, HOOK_REQUEST);
        if (v->kind == VERDICT_ANSWER)
            break;
        assert_failed(s, v, " than an exchange may hold");
        failed++;
    }
    assert_int_equal(s->call.verdict.status, 200);
    assert_int_equal(s->call.verdict.field_count, 3);
    assert_in_range(failed, 100 / 16, 100);
}

static void upgrade_offers_what_the_policy_and_the_client_share(void **state)
{
    static const struct {
        const char *returned;
        enum verdict_kind kind;
        size_t count;
        const char *first;
    } cases[] = {
        {"'websocket'", VERDICT_OFFER, 1, "websocket"},
        {"'WebSocket'", VERDICT_OFFER, 1, "websocket"},
        {"'h2c'", VERDICT_ORDINARY, 0, NULL},
        {"{ 'foo/2', 'h2c', 'websocket' }", VERDICT_OFFER, 2, "foo/2"},
        {"true", VERDICT_OFFER, 2, "websocket"},
        {"false", VERDICT_ORDINARY, 0, NULL},
        {"{}", VERDICT_ORDINARY, 0, NULL},
        {"nil", VERDICT_DEFAULT, 0, NULL},
        {"426", VERDICT_ANSWER, 0, NULL},
        {"{ status = 403 }", VERDICT_ANSWER, 0, NULL},
        {"'web socket'", VERDICT_FAILED, 0, NULL},
        {"{ 'websocket', 7 }", VERDICT_FAILED, 0, NULL},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hook[200];
        snprintf(hook, sizeof hook, "upgrade = function() return %s end", cases[i].returned);
        scene_policy(s, "", hook);
        scene_begin(s, SCENE_UPGRADE);
        const struct verdict *v = scene_ask(s, HOOK_UPGRADE);
        assert_int_equal(v->kind, cases[i].kind);
        if (v->kind == VERDICT_OFFER) {
            assert_int_equal(v->offers.count, cases[i].count);
            assert_true(slice_equals(v->offers.protocol[0], slice_of_string(cases[i].first)));
        }
        scene_drop(s);
    }
}

/* A refusal that was meant must not open the tunnel because it looks like a list as well. */
static void a_table_that_is_no_list_of_protocols_offers_nothing(void **state)
{
    static const char *const cases[][2] = {
        {"{ 'websocket', status = 403 }",
         "returned a list of protocols in which the key \"status\" is no place; an answer has "
         "status, headers and body alone (the function at policy.lua:3)"},
        {"{ status = 403, 'websocket' }", "in which the key \"status\" is no place"},
        {"{ [2] = 'websocket' }", "in which place 1 is empty"},
        {"{ 'websocket', nil, 'foo/2' }", "in which place 2 is empty"},
        {"{ [0] = 'foo/2', 'websocket' }", "in which the key 0 is no place"},
        {"{ websocket = true }", "answer: unknown key \"websocket\""},
        {"{ 'websocket', 403 }",
         "in which place 2 is 403; a protocol is text such as \"websocket\""},
        {"{ require('interim').json.null }", "in which place 1 is interim.json.null"},
        {"setmetatable({}, { __index = { status = 403 } })", "answer: status must be"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hook[200];
        snprintf(hook, sizeof hook, "upgrade = function() return %s end", cases[i][0]);
        scene_policy(s, "", hook);
        scene_begin(s, SCENE_UPGRADE);
        assert_failed(s, scene_ask(s, HOOK_UPGRADE), cases[i][1]);
        scene_drop(s);
    }
}

static void what_was_returned_is_told_by_its_name(void **state)
{
    static const char *const cases[][2] = {
        {"req", "returned req; it may return nil"},
        {"req.headers", "returned req.headers; it may return nil"},
        {"require('interim').json.null", "returned interim.json.null; it may return nil"},
        {"{ status = req }", "from 200 to 599, not req"},
        {"{ status = 200, body = require('interim').json.null }",
         "body must be text, not interim.json.null"},
        {"{ status = 200, headers = req.headers }", "headers must be a table, not req.headers"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hook[200];
        snprintf(hook, sizeof hook, "request = function(req) return %s end", cases[i][0]);
        scene_policy(s, "", hook);
        assert_failed(s, scene_ask(s, HOOK_REQUEST), cases[i][1]);
        scene_drop(s);
    }
}

static void an_error_in_every_hook_fails_it_with_a_traceback(void **state)
{
    struct scene *s = *state;
    every_hook(s, "50ms", "local function check(x)\n return x.y.z\nend", "check({})");
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        assert_failed(s, scene_ask(s, (enum policy_hook)hook),
                      "hook failed: policy.lua:2: attempt to index field 'y' (a nil value) < stack "
                      "traceback: policy.lua: in function 'check' < policy.lua:");
    scene_ask(s, HOOK_TIMEOUT);
    assert_true(scene_logged(s, "1-7f: the timeout hook failed: "));
    assert_true(scene_logged(s, "; the built-in page is sent"));
}

static void an_error_that_is_no_text_fails_the_hook(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "", "request = function() error({}) end");
    assert_failed(s, scene_ask(s, HOOK_REQUEST), "(the error is a table value)");
}

static void failing_open_is_said_in_the_log(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "", "on_error = 'default', request = function() error('boom') end");
    assert_failed(s, scene_ask(s, HOOK_REQUEST), "going on as if it had returned nil (on_error)");
}

static void an_endless_loop_in_every_hook_ends(void **state)
{
    struct scene *s = *state;
    every_hook(s, "50ms", "", "while true do end");
    s->settings.limits.hook_cpu = 0.01; /* read when it was loaded: shows that 50 ms are in force */
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        assert_failed(s, scene_ask(s, (enum policy_hook)hook),
                      "more than 50 ms on the CPU at a stretch (limits.hook_cpu)");
}

static void a_policy_that_hoards_memory_fails_and_the_next_call_works(void **state)
{
    struct scene *s = *state;
    every_hook(s, "10s", "local loop = true",
               "if loop then local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end end");
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        assert_failed(s, scene_ask(s, (enum policy_hook)hook), "(limits.policy_memory)");
}

static void one_huge_string_is_refused_and_nothing_lingers(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local n = 0",
                 "limits = { hook_cpu = 5 }, request = function() n = n + 1 if n % 2 == 1 then "
                 "return #('x'):rep(1e9) end end");
    for (int i = 0; i < 1000; i++) {
        assert_failed(s, scene_ask(s, HOOK_REQUEST), "(limits.policy_memory)");
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
    }
}

/* Left to itself the collector lets memory double, or takes one small step for a large text. */
static void what_nobody_uses_any_more_is_collected_before_memory_runs_out(void **state)
{
    struct scene *s = *state;
    scene_policy(
        s, "local kept = {} for i = 1, 40000 do kept[i] = 'entry ' .. i end local n = 0",
        "limits = { policy_memory = '3500k', hook_cpu = 5 }, request = function(req)\n"
        "n = n + 1 local t = {} for i = 1, 50 do t[i] = kept[i] .. n .. ':' .. i end end,\n"
        "expect = function() for i = 1, 100 do local s = ('x'):rep(1e5 - i) end end");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
    assert_int_equal(scene_ask(s, HOOK_EXPECT)->kind, VERDICT_DEFAULT);
}

static void print_goes_to_the_log_with_request_and_hook(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "print('hello', 1)",
                 "request = function(req) print(req.path, nil, true) print('a\\0b', 1) end");
    scene_ask(s, HOOK_REQUEST);
    assert_true(scene_logged(s, "1-7f: request hook: a\\x00b 1\n"));
    assert_true(scene_logged(s, "policy, while it is loaded: hello 1"));
    assert_true(scene_logged(s, "1-7f: request hook: /a/b nil true"));
}

static void a_policy_is_loaded_anew_beside_the_old_one(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local n = 0", "request = function() n = n + 1 return 200 + n end");
    assert_answer(scene_ask(s, HOOK_REQUEST), 201);
    struct policy *old = s->policy;
    scene_load(s);
    assert_answer(scene_ask(s, HOOK_REQUEST), 201);
    struct policy *latest = s->policy;
    s->policy = old;
    assert_answer(scene_ask(s, HOOK_REQUEST), 202);
    s->policy->ops->free(s->policy);
    s->policy = latest;
    assert_answer(scene_ask(s, HOOK_REQUEST), 202);
}

static void the_jit_is_switched_on_loudly(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "jit = true, request = function() local n = 0 for i = 1, 1e6 do n = n + 1 end "
                 "return n == 1e6 and 204 or 500 end");
    assert_true(scene_logged(s, "jit = true: a hook that loops is not stopped any more"));
    assert_answer(scene_ask(s, HOOK_REQUEST), 204);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hook_that_is_not_defined_has_no_bit),
        TEST(nil_is_the_default_in_every_hook),
        TEST(a_status_is_a_final_answer_in_every_hook_but_log),
        TEST(an_answer_brings_its_fields_and_body),
        TEST(an_answer_with_a_content_type_keeps_it),
        TEST(expect_knows_forward_and_continue),
        TEST(a_misspelt_word_fails_and_lists_what_is_allowed),
        TEST(a_wrong_type_fails_in_every_hook),
        TEST(a_number_that_is_no_final_status_fails),
        TEST(an_answer_that_cannot_be_sent_fails_and_says_why),
        TEST(an_answer_that_finds_no_room_fails_at_whatever_step),
        TEST(upgrade_offers_what_the_policy_and_the_client_share),
        TEST(a_table_that_is_no_list_of_protocols_offers_nothing),
        TEST(what_was_returned_is_told_by_its_name),
        TEST(an_error_in_every_hook_fails_it_with_a_traceback),
        TEST(an_error_that_is_no_text_fails_the_hook),
        TEST(failing_open_is_said_in_the_log),
        TEST(an_endless_loop_in_every_hook_ends),
        TEST(a_policy_that_hoards_memory_fails_and_the_next_call_works),
        TEST(one_huge_string_is_refused_and_nothing_lingers),
        TEST(what_nobody_uses_any_more_is_collected_before_memory_runs_out),
        TEST(print_goes_to_the_log_with_request_and_hook),
        TEST(a_policy_is_loaded_anew_beside_the_old_one),
        TEST(the_jit_is_switched_on_loudly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
