/*
 * Every function that a script can reach, called with every type of argument at every place, none
 * to three of them; every field of a handle read and set with each; every hook returning each. None
 * may do more than raise an error: what is watched for is a crash, a hang, or a sanitizer's word.
 */
#include "scene.h"

/* The values; nil is one of them, so they come with their count. */
static const char vocabulary[] =
    "local interim = require 'interim'\n"
    "local noisy = setmetatable({}, { __index = error, __newindex = error, __call = error,\n"
    "  __tostring = error, __len = error, __eq = error, __lt = error, __concat = error })\n"
    "local count, req, x = 23, nil, nil\n"
    "local list = { nil, true, false, 0, -1, 0.5, 2^31, -2^31, 2^53, 1e308, 0/0, 1/0, '', 'x',\n"
    "  '%', 'a\\0\\r\\n', ('(.-)%1 '):rep(10000), {}, noisy }\n"
    "local function value(i)\n"
    "  if i == 18 then return {} elseif i == 20 then return req\n"
    "  elseif i == 21 then return req and req.headers elseif i == 22 then return x\n"
    "  elseif i == 23 then return coroutine.create(error) end\n"
    "  return list[i]\n"
    "end\n";

/*
 * One call of the hook tries one function with one pair of first arguments, so that a stretch that
 * runs out of its budget is only that pair's. Its place moves on before it tries.
 */
static const char trials[] =
    "local functions, seen = {}, {}\n"
    "local function add(t) seen[t] = true for _, f in pairs(t) do\n"
    "  if type(f) == 'function' then functions[#functions + 1] = f\n"
    "  elseif type(f) == 'table' and not seen[f] then add(f) end end end\n"
    "add(_G) add(interim)\n"
    "local function add_handle_functions()\n"
    "  local h, c = req.headers, req.client\n"
    "  for _, f in ipairs { h.all, h.each, function(k) return req[k] end,\n"
    "    function(k) return c[k] end, function(k) return h[k] end,\n"
    "    function(k, v) req[k] = v end, function(k, v) h[k] = v end,\n"
    "    function(k, v) h['x-a'] = { k, v } end, function(v) req.path = v end,\n"
    "    function(v) req.query = v end, function(v) req.upstream = v end,\n"
    "    function(v) req.max_body = v end, function(v) req.ctx.v = v end } do\n"
    "    functions[#functions + 1] = f end\n"
    "end\n"
    "local n, i, j = 1, 1, 0\n"
    "local function step(r)\n"
    "  if not req then req = r add_handle_functions() end\n"
    "  req = r j = j + 1\n"
    "  if j > count then i, j = i + 1, 1 end\n"
    "  if i > count then n, i = n + 1, 1 end\n"
    "  local f = functions[n]\n"
    "  if not f then return 299 end\n"
    "  local a, b = value(i), value(j)\n"
    "  if i == 1 then pcall(f, b) end\n"
    "  if i == 1 and j == 1 then pcall(f) end\n"
    "  pcall(f, a, b)\n"
    "  for k = 1, count do pcall(f, a, b, value(k)) end\n"
    "end\n";

/* False if the hook waits, in interim.sleep: that is the end of it. */
static bool ask_or_cancel(struct scene *s, enum policy_hook hook)
{
    s->call.hook = hook;
    if (s->policy->ops->ask(s->policy, &s->call))
        return true;
    s->policy->ops->cancel(s->policy, &s->call);
    return false;
}

/* A hook may fail only because its budget is used up. */
static void expect_budget(struct scene *s)
{
    const char *log = scene_log(s);
    if (strstr(log, "(limits.") == NULL)
        fail_msg("a hook failed otherwise: %s", log);
}

static void every_function_takes_every_argument(void **state)
{
    static char before[8192];
    struct scene *s = *state;
    int asked = 0;
    snprintf(before, sizeof before, "%s%s", vocabulary, trials);
    log_open("test", LOG_ERROR); /* what the functions log is of no interest, only failed hooks */
    scene_policy(s, before, "request = step");
    for (;; asked++) {
        scene_begin(s, SCENE_GET);
        if (!ask_or_cancel(s, HOOK_REQUEST))
            continue;
        if (s->call.verdict.kind == VERDICT_ANSWER)
            break;
        if (s->call.verdict.kind == VERDICT_FAILED)
            expect_budget(s);
        else
            assert_int_equal(s->call.verdict.kind, VERDICT_DEFAULT);
        scene_forget_log(s);
    }
    assert_int_equal(s->call.verdict.status, 299);
    assert_true(asked > 100 * 23 * 23);
}

/* Each shape has one value at every place where a hook's answer may hold one. */
static const char *const shapes[] = {
    "v",
    "{ v }",
    "{ v, 'websocket' }",
    "{ status = v }",
    "{ status = 200, body = v }",
    "{ status = 200, headers = v }",
    "{ status = 200, headers = { a = v } }",
    "{ status = 200, headers = { a = { 'b', v } } }",
    "{ status = 200, headers = v and v == v and { [v] = 'a' } or v }",
    "v and v == v and { [v] = 200 } or v",
};

static void every_hook_returns_every_value(void **state)
{
    static char fields[16384];
    struct scene *s = *state;
    log_open("test", LOG_ERROR);
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        size_t n = 0;
        for (int hook = 0; hook < HOOK_COUNT; hook++)
            n += (size_t)snprintf(fields + n, sizeof fields - n,
                                  "%s = function(r, second) req, x = r, second i = i %% count + 1 "
                                  "local v = value(i) return %s end,\n",
                                  policy_hook_name((enum policy_hook)hook), shapes[shape]);
        char before[4096];
        snprintf(before, sizeof before, "%slocal i = 0", vocabulary);
        scene_policy(s, before, fields);
        for (int hook = 0; hook < HOOK_COUNT; hook++)
            for (int i = 0; i < 23; i++) {
                scene_begin(s, SCENE_UPGRADE);
                scene_answer(s, SCENE_200);
                const struct verdict *v = scene_ask(s, (enum policy_hook)hook);
                assert_true(v->kind == VERDICT_DEFAULT || v->kind == VERDICT_OFFER ||
                            v->kind == VERDICT_ORDINARY || v->kind == VERDICT_ANSWER ||
                            v->kind == VERDICT_FAILED);
                assert_true(v->kind != VERDICT_ANSWER || (v->status >= 200 && v->status <= 599));
            }
        scene_drop(s);
        scene_forget_log(s);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_function_takes_every_argument),
        TEST(every_hook_returns_every_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
