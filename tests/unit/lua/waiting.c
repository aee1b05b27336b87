/*
 * Hooks that wait: interim.sleep, and everything that may happen meanwhile.
 */
#include "scene.h"

/* Turns the loop until `done` was called. */
static void wait_for_answer(struct scene *s)
{
    while (s->done == 0)
        ev_run(s->loop, EVRUN_ONCE);
    assert_int_equal(s->done, 1);
    assert_null(s->call.waiting);
}

static void a_hook_sleeps_then_answers(void **state)
{
    struct scene *s = *state;
    for (int hook = 0; hook < HOOK_LOG; hook++) {
        char fields[200];
        snprintf(fields, sizeof fields,
                 "%s = function(req) sleep(0.001) sleep(0) return #req.path + 400 end",
                 policy_hook_name((enum policy_hook)hook));
        scene_policy(s, "local sleep = require('interim').sleep", fields);
        scene_answer(s, SCENE_200);
        scene_ask_waiting(s, (enum policy_hook)hook);
        wait_for_answer(s);
        assert_int_equal(s->call.verdict.kind, VERDICT_ANSWER);
        assert_int_equal(s->call.verdict.status, 404);
        scene_drop(s);
    }
}

/* The loop's clock stands while a hook works. */
static void a_sleep_is_as_long_as_asked_however_late_it_begins(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local interim = require 'interim' local clock = interim.monotonic",
                 "request = function(req) local began = clock()\n"
                 "repeat until clock() - began > 0.03 began = clock() interim.sleep(0.025)\n"
                 "return clock() - began >= 0.025 and 200 or 500 end");
    scene_ask_waiting(s, HOOK_REQUEST);
    wait_for_answer(s);
    assert_int_equal(s->call.verdict.status, 200);
}

static void a_hook_may_sleep_inside_pcall_and_fail_afterwards(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep = require('interim').sleep",
                 "request = function(req) local ok, v = pcall(function() sleep(0.001) return 7 "
                 "end) if ok and v == 7 then error('after the wait') end end");
    scene_ask_waiting(s, HOOK_REQUEST);
    wait_for_answer(s);
    assert_int_equal(s->call.verdict.kind, VERDICT_FAILED);
    assert_true(scene_logged(s, "after the wait"));
    scene_forget_log(s);
    s->done = 0;
    scene_ask_waiting(s, HOOK_REQUEST); /* the coroutine that failed is not used again */
    wait_for_answer(s);
    assert_int_equal(s->call.verdict.kind, VERDICT_FAILED);
}

static void a_budget_is_for_each_stretch(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep = require('interim').sleep",
                 "request = function(req) sleep(0) while true do end end");
    scene_ask_waiting(s, HOOK_REQUEST);
    wait_for_answer(s);
    assert_int_equal(s->call.verdict.kind, VERDICT_FAILED);
    assert_true(scene_logged(s, "more than 50 ms on the CPU at a stretch"));
}

static void a_cancelled_hook_never_answers(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep, n = require('interim').sleep, 0",
                 "request = function(req) n = n + 1 if n == 1 then sleep(0.001) n = 100 end return "
                 "200 + n end");
    scene_ask_waiting(s, HOOK_REQUEST);
    s->policy->ops->cancel(s->policy, &s->call);
    assert_null(s->call.waiting);
    ev_run(s->loop, 0); /* nothing is left to wait for */
    assert_int_equal(s->done, 0);
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->status, 202);
}

static unsigned answered;

static void count_answer(struct policy_call *call)
{
    assert_int_equal(call->verdict.kind, VERDICT_ANSWER);
    answered++;
}

static void many_hooks_wait_at_once(void **state)
{
    enum { MANY = 200 };
    static struct policy_view views[MANY];
    static struct policy_call calls[MANY];
    struct scene *s = *state;
    scene_policy(s, "local sleep, n = require('interim').sleep, 0",
                 "request = function(req) n = n + 1 local mine = n req.ctx.n = mine sleep(0.001) "
                 "if req.ctx.n ~= mine then error('mixed up') end return 200 end");
    answered = 0;
    for (int i = 0; i < MANY; i++) {
        views[i] = s->view;
        views[i].id = 1000 + (uint64_t)i;
        calls[i] =
            (struct policy_call){.hook = HOOK_REQUEST, .view = &views[i], .done = count_answer};
        assert_false(s->policy->ops->ask(s->policy, &calls[i]));
    }
    for (int i = 0; i < MANY; i += 2)
        s->policy->ops->cancel(s->policy, &calls[i]);
    ev_run(s->loop, 0);
    assert_int_equal(answered, MANY / 2);
    for (int i = 0; i < MANY; i++)
        s->policy->ops->forget(s->policy, &views[i]);
}

static void sleep_refuses_what_cannot_be_waited_for(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep = require('interim').sleep",
                 "request = function(req) for _, v in ipairs { -1, 0/0, 1/0, 4000, 'x', {}, true } "
                 "do local ok, why = pcall(sleep, v) if ok or not why:find('bad argument #1') then "
                 "error(tostring(why)) end end if pcall(sleep) then error('none') end end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
    assert_false(scene_read(s, "require('interim').sleep(1)"));
    assert_string_equal(scene_errors(s),
                        "policy.lua:1: interim.sleep can only be called in a hook, not while the "
                        "policy is loaded\n");
}

static void a_coroutine_of_the_policys_own_cannot_wait(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep = require('interim').sleep",
                 "request = function(req) local ok, why = coroutine.resume(coroutine.create("
                 "function() sleep(0) end)) error(why, 0) end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_FAILED);
    assert_true(scene_logged(s, "interim.sleep cannot be called in a coroutine that the policy "
                                "made itself"));
}

static void what_a_library_calls_cannot_wait(void **state)
{
    static const char *const calls[] = {
        "('ab'):gsub('.', sleep)",
        "('ab'):gsub('.', function() sleep(0) end)",
        "table.sort({ 2, 1 }, function() pcall(sleep, 0) sleep(0) end)",
        "print(setmetatable({}, { __tostring = function() sleep(0) end }))",
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char hook[200];
        snprintf(hook, sizeof hook, "request = function(req) %s end", calls[i]);
        scene_policy(s, "local sleep = function() require('interim').sleep(0) end", hook);
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_FAILED);
        assert_true(scene_logged(s, "interim.sleep cannot be called in a function that gsub, "
                                    "table.sort or another function of the libraries calls"));
        scene_forget_log(s);
        scene_drop(s);
    }
}

static void a_hook_cannot_leave_or_seize_its_own_coroutine(void **state)
{
    struct scene *s = *state;
    scene_policy(s, "local sleep, other = require('interim').sleep",
                 "request = function(req) other = coroutine.running() if other ~= nil then "
                 "error('seen') end coroutine.yield(1) end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_FAILED);
    assert_true(scene_logged(s, "coroutine.yield outside a coroutine of the policy's own; to "
                                "wait, call interim.sleep"));
}

static void coroutines_of_the_policys_own_work(void **state)
{
    struct scene *s = *state;
    scene_policy(
        s, "",
        "request = function(req) local sum = 0\n"
        "for n in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do "
        "sum = sum + n end\n"
        "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) "
        "assert(coroutine.running()) return req.path, b end)\n"
        "local _, one = coroutine.resume(co, 1) local ok, path, b = coroutine.resume(co, "
        "'b')\n"
        "if sum ~= 6 or one ~= 2 or path ~= '/a/b' or b ~= 'b' or coroutine.status(co) ~= "
        "'dead' then error('no') end\n"
        "local ok, why = pcall(coroutine.wrap(function() error('inside', 0) end))\n"
        "if ok or why ~= 'inside' then error(why) end end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hook_sleeps_then_answers),
        TEST(a_sleep_is_as_long_as_asked_however_late_it_begins),
        TEST(a_hook_may_sleep_inside_pcall_and_fail_afterwards),
        TEST(a_budget_is_for_each_stretch),
        TEST(a_cancelled_hook_never_answers),
        TEST(many_hooks_wait_at_once),
        TEST(sleep_refuses_what_cannot_be_waited_for),
        TEST(a_coroutine_of_the_policys_own_cannot_wait),
        TEST(what_a_library_calls_cannot_wait),
        TEST(a_hook_cannot_leave_or_seize_its_own_coroutine),
        TEST(coroutines_of_the_policys_own_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
