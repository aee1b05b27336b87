/*
 * Memory that runs out at any moment: every allocation of a policy's life fails once, and then
 * every one from there on. It may cost a policy its loading or a hook its answer, never the
 * process.
 */
#include "scene.h"

#include "base/sys.h"

#include <dlfcn.h>
#include <lua.h>
#include <time.h>
#include <unistd.h>

static long calls;    /* since the run began */
static long fails_at; /* the first call that fails; 0: none */
static bool for_good; /* those after it fail as well */
static bool spared;   /* nothing fails now */

static bool is_out(void)
{
    if (spared || fails_at == 0)
        return false;
    calls++;
    return for_good ? calls >= fails_at : calls == fails_at;
}

/* In the place of the real sys, of which nothing else is needed here. */
void *sys_malloc(size_t n)
{
    return is_out() ? NULL : malloc(n);
}

void *sys_calloc(size_t n, size_t size)
{
    return is_out() ? NULL : calloc(n, size);
}

void *sys_realloc(void *p, size_t n)
{
    return is_out() ? NULL : realloc(p, n);
}

void sys_free(void *p)
{
    free(p);
}

enum sys_taker sys_taker(int fd)
{
    (void)fd;
    return SYS_TAKER_FILE;
}

ssize_t sys_offer(int fd, enum sys_taker taker, const void *bytes, size_t n)
{
    (void)taker;
    return write(fd, bytes, n);
}

double sys_realtime(void)
{
    return (double)time(NULL);
}

double sys_monotonic(void)
{
    return (double)time(NULL);
}

/* LuaJIT itself crashes when the very first blocks of a state are refused: not ours to test. */
lua_State *lua_newstate(lua_Alloc allocate, void *data)
{
    lua_State *(*real)(lua_Alloc, void *);
    void *found = dlsym(RTLD_NEXT, "lua_newstate");
    memcpy(&real, &found, sizeof real);
    spared = true;
    lua_State *L = real(allocate, data);
    spared = false;
    return L;
}

static const char policy[] =
    "local interim = require 'interim'\n"
    "return { listen = 8080, upstreams = { app = { '127.0.0.1:9000' } }, upstream = 'app',\n"
    "request = function(req) req.ctx.a = {} interim.sleep(0) req.headers.x = 'y' "
    "return { status = 200, headers = { a = 'b' }, body = req.path } end,\n"
    "expect = function(req) return ('x'):rep(1000) end,\n"
    "timeout = function(req) return ('x'):rep(1e9) end,\n"
    "log = function() error('boom') end }";

static void ask(struct scene *s, enum policy_hook hook)
{
    s->call.hook = hook;
    s->done = 0;
    if (!s->policy->ops->ask(s->policy, &s->call))
        while (s->done == 0)
            ev_run(s->loop, EVRUN_ONCE);
    assert_true(s->call.verdict.kind == VERDICT_FAILED ||
                (hook == HOOK_REQUEST && s->call.verdict.status == 200));
}

/* One life of a policy. True if it came as far as its hooks. */
static bool live(struct scene *s, long fail)
{
    fails_at = 0;
    scene_begin(s, SCENE_PUT);
    calls = 0;
    fails_at = fail;
    bool alive = scene_read(s, policy);
    if (alive)
        s->policy = policy_engine.load(buf_slice(&s->bundle), &s->settings, s->loop, &s->errors);
    alive = alive && s->policy != NULL;
    if (alive) {
        ask(s, HOOK_REQUEST);
        ask(s, HOOK_EXPECT);
        ask(s, HOOK_TIMEOUT);
        ask(s, HOOK_LOG);
        scene_drop(s);
    }
    scene_forget_log(s);
    return alive;
}

static void no_failed_allocation_ends_the_process(void **state)
{
    struct scene *s = *state;
    for (int kind = 0; kind < 2; kind++) {
        long alive = 0, fail = 0;
        for_good = kind == 1;
        do
            alive += live(s, ++fail);
        while (calls >= fail);
        assert_true(fail > 500); /* it did fail in many places */
        assert_true(alive > 5);  /* also in hooks */
        assert_true(fail - alive > 100);
    }
    fails_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_failed_allocation_ends_the_process, scene_set_up,
                                        scene_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
