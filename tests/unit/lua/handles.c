/*
 * `req`, `res`, `t` and `e` as a script holds them: what can be read, what can be set and when, and
 * that no misuse is more than a Lua error.
 */
#include "scene.h"

/* Runs `body` in the hook; it must return nothing. */
static void run(struct scene *s, enum policy_hook hook, const char *head, const char *body)
{
    static char fields[32768];
    snprintf(fields, sizeof fields, "%s = function(req, x) %s\nend", policy_hook_name(hook), body);
    scene_policy(s,
                 "local function is(a, b) if a ~= b then error(tostring(a) .. ' is not ' .. "
                 "tostring(b), 2) end end\n"
                 "local function fails(why, f, ...) local ok, e = pcall(f, ...) "
                 "if ok or not tostring(e):find(why, 1, true) then error(tostring(e), 2) end end",
                 fields);
    scene_begin(s, head);
    scene_answer(s, SCENE_200);
    const struct verdict *v = scene_ask(s, hook);
    if (v->kind != VERDICT_DEFAULT)
        print_message("%s\n", scene_log(s));
    assert_int_equal(v->kind, VERDICT_DEFAULT);
}

static void a_request_shows_its_parts(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "is(req.method, 'GET') is(req.target, '/a/b?x=1') is(req.path, '/a/b') is(req.query, "
        "'x=1') is(req.version, '1.1') is(req.scheme, 'http') is(req.host, 'app.example') "
        "is(req.client.address, '10.1.2.3') is(req.client.port, 4567) is(req.body_size, 0) "
        "is(#req.upgrade, 0) is(req.expects_continue, false) is(req.id, '1-7f') "
        "is(req.upstream, 'app') is(req.max_body, nil) is(type(req.ctx), 'table')");
}

static void a_request_with_a_body_shows_its_size(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_EXPECT, SCENE_PUT, "is(req.body_size, 10) is(req.expects_continue, true)");
    scene_drop(s);
    run(s, HOOK_REQUEST, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "is(req.body_size, nil) is(req.query, nil)");
    scene_drop(s);
    run(s, HOOK_UPGRADE, SCENE_UPGRADE,
        "is(#req.upgrade, 2) is(req.upgrade[1], 'websocket') is(req.upgrade[2], 'foo/2')");
}

static void headers_are_read_in_any_case_joined_and_in_order(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_LOG, SCENE_GET,
        "local h = req.headers is(h['x-one'], '1') is(h['X-ONE'], '1') is(h.host, 'app.example') "
        "is(h['x-two'], 'a, b') is(h.none, nil) is(#h:all('X-Two'), 2) is(h:all('x-two')[2], 'b') "
        "is(#h:all('none'), 0) local names = '' for name, value in h:each() do names = names .. "
        "name .. '=' .. value .. ' ' end is(names, 'Host=app.example X-One=1 X-Two=a x-two=b ')");
}

static void the_request_hook_edits_headers(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local h = req.headers h['X-One'] = 'new' h['x-two'] = nil h['X-List'] = { 'a', 2 } "
        "h['X-Number'] = 50e6 h['x-trim'] = ' t ' is(h['x-one'], 'new') is(h['x-list'], 'a, 2')");
    const struct head *h = &s->request.head;
    assert_int_equal(h->count, 6);
    assert_true(slice_equals(head_find_name(h, SLICE("x-one"))->value, SLICE("new")));
    assert_null(head_find_name(h, SLICE("x-two")));
    assert_true(slice_equals(head_find_name(h, SLICE("x-number"))->value, SLICE("50000000")));
    assert_true(slice_equals(head_find_name(h, SLICE("x-trim"))->value, SLICE("t")));
}

static void a_loop_over_headers_goes_on_as_it_began_whatever_it_changes(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local h, names, n = req.headers, '', 0\n"
        "for name in h:each() do names = names .. name .. ' '\n"
        "if name:sub(1, 1):lower() == 'x' then h[name] = nil end end\n"
        "is(names, 'Host X-One X-Two x-two ') is(h['x-one'], nil) is(h['x-two'], nil)\n"
        "for name, value in h:each() do n = n + 1 h['y-' .. n] = value h['y-1'] = 'new' end\n"
        "is(n, 1) is(h['y-1'], 'new') is(h['y-2'], nil)\n"
        "local each = h:each() each() is(each(), 'y-1') is(each(), nil) is(each(), nil)");
    assert_int_equal(s->request.head.count, 2);
}

static void a_list_of_values_is_whole_or_an_error(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local function set(value) req.headers['x-one'] = value end\n"
        "fails('in the list of values for \"x-one\" place 2 is empty', set, { 'a', nil, 'c' })\n"
        "fails('in the list of values for \"x-one\" the key \"k\" is no place', set, { 'a', k = "
        "'b' })\n"
        "fails('place 1 is empty', set, { [2] = 'a' }) fails('the key 0 is no place', set, { [0] = "
        "'a', 'b' })\n"
        "fails('the key 1.5 is no place', set, { [1.5] = 'a' })\n"
        "fails('a key of type boolean is no place', set, { [true] = 'a' })\n"
        "is(req.headers['x-one'], '1') set {} is(req.headers['x-one'], nil)");
}

static void the_path_may_stay_what_it_is(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "req.path = req.path is(req.path, '*') "
        "fails('req.path must start with', function() req.path = '**' end)");
    assert_true(slice_equals(s->request.path, SLICE("*")));
}

static void a_header_that_could_split_a_message_is_refused(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local function set(name, value) req.headers[name] = value end\n"
        "fails('holds a control byte', set, 'x-a', 'b\\r\\nx: y')\n"
        "fails('holds a control byte', set, 'x-a', 'b\\0')\n"
        "fails('holds a control byte', set, 'x-a', { 'fine', 'b\\n' })\n"
        "fails('is not a field name', set, 'x a', 'b') fails('is not a field name', set, '', 'b')\n"
        "fails('is not a field name', set, 'x\\r\\n', 'b')\n"
        "fails('must be text, a list of texts or nil, not boolean', set, 'x-a', true)\n"
        "fails('must be text, a list of texts or nil, not table', set, 'x-a', { {} })\n"
        "fails('bad argument', set, {}, 'x') is(req.headers['x-a'], nil)\n"
        "for _, name in ipairs { 'Content-Length', 'transfer-encoding', 'Connection', 'Upgrade',"
        " 'Expect', 'Host', 'TE', 'Trailer', 'Keep-Alive' } do\n"
        "fails('is written by the proxy alone', set, name, 'x')\n"
        "fails('is written by the proxy alone', set, name, nil) end");
    assert_int_equal(s->request.head.count, 4);
}

static void the_request_hook_routes_and_rewrites(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "req.upstream = 'uploads' req.max_body = '50m' req.path = '/new' req.query = 'y=2' "
        "is(req.upstream, 'uploads') is(req.max_body, 50 * 2^20) is(req.path, '/new')");
    assert_string_equal(s->settings.upstreams[s->view.upstream].name, "uploads");
    assert_int_equal(s->view.max_body, 50 << 20);
    assert_true(slice_equals(s->request.path, SLICE("/new")));
    assert_true(slice_equals(s->request.query, SLICE("y=2")));
    scene_drop(s);
    run(s, HOOK_REQUEST, SCENE_GET, "req.query = nil req.max_body = 5 req.max_body = nil");
    assert_null(s->request.query.at);
    assert_true(s->view.max_body == UINT64_MAX);
}

static void what_cannot_be_set_says_why(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local function set(name, value) req[name] = value end\n"
        "fails('req.method is read-only', set, 'method', 'PUT')\n"
        "fails('req.ctx is read-only', set, 'ctx', {})\n"
        "fails('req has no field \"metod\"; did you mean \"method\"?', set, 'metod', 1)\n"
        "fails('no upstream is named \"uplods\"; did you mean \"uploads\"?', set, 'upstream', "
        "'uplods')\n"
        "fails('req.upstream must be text, not nil', set, 'upstream', nil)\n"
        "fails('req.max_body must be a number', set, 'max_body', -1)\n"
        "fails('req.max_body must be a number', set, 'max_body', 0/0)\n"
        "fails('req.max_body must be a number', set, 'max_body', 'x')\n"
        "fails('req.path must start with', set, 'path', 'x')\n"
        "fails('req.path must start with', set, 'path', '/a b')\n"
        "fails('req.path must start with', set, 'path', '/a?b')\n"
        "fails('req.path must start with', set, 'path', '/' .. ('x'):rep(9000))\n"
        "fails('req.path must be text', set, 'path', 5)\n"
        "fails('req.query must be nil', set, 'query', 'a\\r\\nb')\n"
        "fails('req.client.port is read-only', function() req.client.port = 1 end)\n"
        "fails('req has no field \"body\"', function() return req.body end)\n"
        "fails('req has no field of type number', function() return req[1] end)\n"
        "fails('req.client has no field \"adress\"; did you mean \"address\"?', function() return "
        "req.client.adress end)");
}

static void only_its_own_hook_edits(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_EXPECT, SCENE_PUT,
        "fails('req.headers can be changed in the request hook only', function() "
        "req.headers.x = 'y' end)\n"
        "fails('req.path can be changed in the request hook only', function() req.path = '/' end)\n"
        "fails('req.upstream can be changed in', function() req.upstream = 'app' end)\n"
        "fails('req.max_body can be changed in', function() req.max_body = 1 end)");
}

static void the_response_hook_sees_and_edits_the_response(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_RESPONSE, SCENE_GET,
        "is(x.status, 200) is(x.reason, 'OK') is(x.body_size, 3) is(x.upstream, 'app') "
        "is(x.headers['x-up'], '1') is(req.path, '/a/b') x.status = 203 x.headers['x-up'] = nil "
        "x.headers['set-cookie'] = { 'a=1', 'b=2' } "
        "fails('is written by the proxy alone', function() x.headers['content-length'] = '9' end) "
        "fails('whole number between 200 and 599', function() x.status = 101 end) "
        "fails('whole number between 200 and 599', function() x.status = '200' end) "
        "fails('has a body and 204 has none', function() x.status = 204 end) "
        "fails('res.reason is read-only', function() x.reason = 'x' end)");
    assert_int_equal(s->response.head.status, 203);
    assert_null(head_find_name(&s->response.head, SLICE("x-up")));
    assert_int_equal(head_count(&s->response.head, FIELD_SET_COOKIE), 2);
}

static void what_a_response_lacks_is_nil(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_RESPONSE, "GET / HTTP/1.0\r\n\r\n", "is(req.version, '1.0') is(req.host, '')");
    const char *const unsized[] = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                   "HTTP/1.1 200 OK\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        scene_drop(s);
        scene_policy(s, "",
                     "response = function(req, res) assert(res.body_size == nil) "
                     "assert(res.upstream == nil and req.upstream == nil) end");
        s->view.upstream = -1;
        scene_answer(s, unsized[i]);
        assert_int_equal(scene_ask(s, HOOK_RESPONSE)->kind, VERDICT_DEFAULT);
    }
}

static void a_response_without_a_body_stays_without_one(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "response = function(req, res) local function fails(status) local ok, why = "
                 "pcall(function() res.status = status end) assert(not ok and why:find('304 has no "
                 "body and ' .. status .. ' has one', 1, true), why) end\n"
                 "fails(200) fails(599) for _, status in ipairs { 600, 199, 200.5, 0/0 } do "
                 "assert(not pcall(function() res.status = status end)) end res.status = 204 end");
    scene_answer(s, "HTTP/1.1 304 Not Modified\r\n\r\n");
    const struct verdict *v = scene_ask(s, HOOK_RESPONSE);
    if (v->kind != VERDICT_DEFAULT)
        print_message("%s\n", scene_log(s));
    assert_int_equal(v->kind, VERDICT_DEFAULT);
    assert_int_equal(s->response.head.status, 204);
}

static void trouble_is_told(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_TIMEOUT, SCENE_GET,
        "is(x.kind, 'response') is(x.status, 524) is(x.after, 100) is(x.elapsed, 100.5) "
        "is(x.upstream, 'app') is(x.address, '127.0.0.1:9000') is(x.detail, 'no answer') "
        "is(x.interims, 2) is(x.last_interim, 103) is(x.bytes_sent, 7) "
        "fails('read-only', function() x.status = 1 end)");
}

static void the_log_hook_is_told_the_result(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_LOG, SCENE_GET,
        "is(x.status, 200) is(x.outcome, 'upstream') is(x.error, nil) is(x.upstream, 'app') "
        "is(x.address, '127.0.0.1:9000') is(x.expect, 'forward') is(x.upgrade, nil) "
        "is(#x.interims, 2) is(x.interims[2], 103) is(x.interim_count, 2) is(x.bytes_in, 1) "
        "is(x.bytes_out, 2) is(x.tunnel_in, 3) is(x.tunnel_out, 4) is(x.elapsed, 0.5) "
        "is(x.connect, 0.25) is(x.first_byte, 0.125) is(x.reused, true)");
}

static void ctx_is_kept_from_hook_to_hook_of_one_exchange(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "request = function(req) req.ctx.n = (req.ctx.n or 0) + 1 end, "
                 "log = function(req) if req.ctx.n ~= 1 then error('not kept') end end");
    for (int i = 0; i < 3; i++) {
        scene_begin(s, SCENE_GET);
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
        assert_int_equal(scene_ask(s, HOOK_LOG)->kind, VERDICT_DEFAULT);
    }
}

static void a_handle_kept_beyond_its_exchange_is_an_error(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local req, headers, client",
                 "request = function(r) req, headers, client = r, r.headers, r.client end,\n"
                 "log = function(r, res)\n"
                 "for _, f in ipairs { function() return req.path end, function() req.path = '/' "
                 "end, function() return headers.host end, function() headers.a = 'b' end, "
                 "function() return headers:all('x') end, function() return headers:each() end, "
                 "function() return client.port end, function() return req.ctx end } do\n"
                 "local ok, why = pcall(f)\n"
                 "if ok or not why:find('outside the hooks of its own exchange', 1, true) then "
                 "error(tostring(why)) end end end");
    scene_ask(s, HOOK_REQUEST);
    scene_begin(s, SCENE_GET);
    assert_int_equal(scene_ask(s, HOOK_LOG)->kind, VERDICT_DEFAULT);
}

static void what_a_hook_was_told_means_nothing_in_another_hook(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "",
                 "timeout = function(req, t) req.ctx.t = t end, response = function(req, res) "
                 "req.ctx.res, req.ctx.headers = res, res.headers end, log = function(req, res)\n"
                 "for _, f in ipairs { function() return req.ctx.t.kind end, function() return "
                 "req.ctx.res.status end, function() return req.ctx.headers.a end } do\n"
                 "local ok, why = pcall(f) if ok or not why:find('means nothing in the log hook', "
                 "1, true) then error(tostring(why)) end end end");
    scene_answer(s, SCENE_200);
    scene_ask(s, HOOK_TIMEOUT);
    scene_ask(s, HOOK_RESPONSE);
    s->view.response = NULL;
    s->view.trouble = NULL;
    assert_int_equal(scene_ask(s, HOOK_LOG)->kind, VERDICT_DEFAULT);
}

static void null_of_json_is_no_request(void **state)
{
    struct scene *s = *state;
    run(s, HOOK_REQUEST, SCENE_GET,
        "local null = require('interim').json.null is(tostring(null), 'null') "
        "fails('interim.json.null has no fields', function() return null.x end) "
        "fails('interim.json.null has no fields', function() null.x = 1 end) "
        "fails('headers expected, got interim.json.null', req.headers.all, null, 'a')"
        "fails('headers expected, got number: call it as headers:name(...)', req.headers.all, 1, "
        "'a')"
        "fails('must be text, a list of texts or nil, not interim.json.null', function() "
        "req.headers['x-a'] = null end) fails('req.path must be text, not req.client', function() "
        "req.path = req.client end) is(getmetatable(null), "
        "false) is(getmetatable(req), false) fails('', setmetatable, req, {})");
}

/* Every function a script can reach, with every type of argument. */
static void no_wrong_argument_is_more_than_a_lua_error(void **state)
{
    struct scene *s = *state;
    scene_policy(
        s,
        "local functions, seen, interim = {}, {}, require 'interim'\n"
        "local skip = { [print] = true, [interim.log] = true, [interim.sleep] = true }\n"
        "local function add(t) seen[t] = true for k, f in pairs(t) do\n"
        "if type(f) == 'function' and not skip[f] then functions[#functions + 1] = f\n"
        "elseif type(f) == 'table' and not seen[f] then add(f) end end end\n"
        "add(_G) add(interim)",
        "limits = { hook_cpu = 60 }, request = function(req)\n"
        "local values = { false, true, 0, -1, 2^31, -2^31, 2^53, 0/0, 1/0, -1/0, '', 'x', 'a%', {},"
        " error, coroutine.create(error), req, req.headers, setmetatable({}, { __index = error, "
        "__tostring = error }) }\n"
        "functions[#functions + 1] = req.headers.all functions[#functions + 1] = req.headers.each\n"
        "for _, f in ipairs(functions) do pcall(f) for i = 1, #values do pcall(f, values[i])\n"
        "for j = 1, #values do pcall(f, values[i], values[j]) pcall(f, 'ab', values[i], "
        "values[j]) pcall(f, {}, values[i], values[j]) end end end\n"
        "for i = 1, #values do for _, o in ipairs { req, req.headers, req.client } do\n"
        "pcall(function() return o[values[i]] end) pcall(function() o[values[i]] = values[i] end)\n"
        "end end return 299 end");
    const struct verdict *v = scene_ask(s, HOOK_REQUEST);
    if (v->kind != VERDICT_ANSWER)
        print_message("%s\n", scene_log(s));
    assert_int_equal(v->kind, VERDICT_ANSWER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_shows_its_parts),
        TEST(a_request_with_a_body_shows_its_size),
        TEST(headers_are_read_in_any_case_joined_and_in_order),
        TEST(the_request_hook_edits_headers),
        TEST(a_loop_over_headers_goes_on_as_it_began_whatever_it_changes),
        TEST(a_list_of_values_is_whole_or_an_error),
        TEST(the_path_may_stay_what_it_is),
        TEST(a_header_that_could_split_a_message_is_refused),
        TEST(the_request_hook_routes_and_rewrites),
        TEST(what_cannot_be_set_says_why),
        TEST(only_its_own_hook_edits),
        TEST(the_response_hook_sees_and_edits_the_response),
        TEST(what_a_response_lacks_is_nil),
        TEST(a_response_without_a_body_stays_without_one),
        TEST(trouble_is_told),
        TEST(the_log_hook_is_told_the_result),
        TEST(ctx_is_kept_from_hook_to_hook_of_one_exchange),
        TEST(a_handle_kept_beyond_its_exchange_is_an_error),
        TEST(what_a_hook_was_told_means_nothing_in_another_hook),
        TEST(null_of_json_is_no_request),
        TEST(no_wrong_argument_is_more_than_a_lua_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
