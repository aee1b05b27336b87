/*
 * What hooks cost, in this process and without sockets: a call of a hook, the stopping of one that
 * never ends, the loading of a long policy. Prints figures beside their goals and asserts nothing,
 * since a busy machine makes them worse. Build it as it ships:
 *
 *   cmake --preset release && cmake --build --preset release --target bench_hooks
 *   build/release/tests/bench_hooks [COUNT]     calls in a row; a million by default
 */
#include "base/log.h"
#include "proxy/engine.h"

#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5 /* the best one counts: what else the machine does only adds */

static const char head[] = "PUT /up HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer abc\r\n"
                           "X-One: 1\r\nAccept: */*\r\nUser-Agent: bench\r\n"
                           "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n";

struct bench {
    char path[64];
    struct settings settings;
    struct buf bundle;
    struct buf errors;
    struct policy *policy;
    struct arena arena;
    struct request request;
    struct addr client;
    struct policy_view view;
    struct policy_call call;
};

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static _Noreturn void give_up(const char *what, struct slice why)
{
    fprintf(stderr, "%s: %.*s\n", what, SLICE_ARG(why));
    exit(1);
}

static void write_policy(const struct bench *b, const char *source)
{
    FILE *file = fopen(b->path, "w");

    if (file == NULL || fputs(source, file) < 0 || fclose(file) != 0)
        give_up(b->path, SLICE("cannot be written"));
}

static void read_policy(struct bench *b)
{
    settings_default(&b->settings);
    buf_clear(&b->bundle);
    buf_clear(&b->errors);
    if (!policy_engine.read(b->path, &b->settings, &b->bundle, &b->errors))
        give_up("the policy", buf_slice(&b->errors));
}

static void load_policy(struct bench *b)
{
    b->policy = policy_engine.load(buf_slice(&b->bundle), &b->settings, EV_DEFAULT, &b->errors);
    if (b->policy == NULL)
        give_up("the policy", buf_slice(&b->errors));
}

static void drop_policy(struct bench *b)
{
    b->policy->ops->forget(b->policy, &b->view);
    b->policy->ops->free(b->policy);
}

/* A policy with this expect hook, and one exchange. */
static void begin(struct bench *b, const char *hook)
{
    static const struct lint_limits limits = {8192, 32768, 128};
    char source[1024];
    bool disagreed;

    snprintf(source, sizeof source,
             "local interim = require 'interim'\n"
             "return { listen = '127.0.0.1:8080', upstream = '127.0.0.1:9000', %s }",
             hook);
    write_policy(b, source);
    read_policy(b);
    load_policy(b);
    arena_reset(&b->arena);
    struct slice bytes = arena_copy(&b->arena, slice_of_string(head));
    if (fault_is(request_read(&b->request, &b->arena, bytes, &limits, &disagreed)))
        give_up("the request", SLICE("is a bad one"));
    b->view = (struct policy_view){
        .id = 1,
        .request_id = "1",
        .arena = &b->arena,
        .settings = &b->settings,
        .request = &b->request,
        .client = &b->client,
        .max_body = UINT64_MAX,
    };
    b->call = (struct policy_call){.hook = HOOK_EXPECT, .view = &b->view};
}

/* As exchange_hook does it. */
static void ask(struct bench *b)
{
    b->call.verdict = (struct verdict){.kind = VERDICT_DEFAULT};
    if (policy_has(b->policy, HOOK_EXPECT) && !b->policy->ops->ask(b->policy, &b->call))
        give_up("the hook", SLICE("waits"));
    __asm__ volatile("" : : "r"(&b->call) : "memory");
}

static double measure_call(struct bench *b, const char *hook, long count)
{
    double best = 1e9;

    begin(b, hook);
    for (int round = 0; round < ROUNDS; round++) {
        double began = seconds(CLOCK_THREAD_CPUTIME_ID);
        for (long i = 0; i < count; i++)
            ask(b);
        double took = (seconds(CLOCK_THREAD_CPUTIME_ID) - began) / (double)count;
        best = took < best ? took : best;
    }
    if (b->call.verdict.kind == VERDICT_FAILED)
        give_up("the hook", SLICE("fails"));
    drop_policy(b);
    return best * 1e9;
}

static void bench_calls(struct bench *b, long count)
{
    double none = measure_call(b, "log = function() end", count);
    double empty = measure_call(b, "expect = function(req) end", count);
    double two = measure_call(b,
                              "expect = function(req) local h = req.headers "
                              "if h['x-one'] == '1' and h.authorization then return 'forward' end "
                              "return 401 end",
                              count);
    double answer = measure_call(b, "expect = function(req) return 401 end", count);

    printf("a call of a hook                                      ns   goal\n");
    printf("  none is defined                               %8.1f\n", none);
    printf("  an empty one                                  %8.1f\n", empty);
    printf("  reads two headers, returns a decision         %8.1f\n", two);
    printf("    above the empty one                         %8.1f   500\n", two - empty);
    printf("  returns a status                              %8.1f\n", answer);
}

/* The longest of some stops, in ms of CPU. */
static double measure_stop(struct bench *b, const char *body, int times)
{
    char hook[512];
    double worst = 0;

    snprintf(hook, sizeof hook, "expect = function(req) %s end", body);
    for (int i = 0; i < times; i++) {
        begin(b, hook);
        double began = seconds(CLOCK_THREAD_CPUTIME_ID);
        ask(b);
        double took = seconds(CLOCK_THREAD_CPUTIME_ID) - began;
        worst = took > worst ? took : worst;
        if (b->call.verdict.kind != VERDICT_FAILED)
            give_up("the loop", SLICE("ended by itself"));
        drop_policy(b);
    }
    return worst * 1e3;
}

static void bench_stops(struct bench *b, int times)
{
    static const char *const loops[][2] = {
        {"while true do end", "while true do end"},
        {"pcall in pcall", "while true do pcall(function() while true do end end) end"},
        {"pcall to the stack's end", "local function f() for i = 1, 1e9 do pcall(f) end end f()"},
        {"new tables", "while true do local t = { 1, 2, { 3 } } end"},
        {"strings of 1 MB", "local s = ('x'):rep(2^20) for i = 1, 1e9 do local t = s .. i end"},
        {"table.sort", "local t = {} for i = 1, 1e4 do t[i] = -i end while true do table.sort(t) "
                       "end"},
        {"table.concat", "local t = {} for i = 1, 1e4 do t[i] = 'xxxx' end while true do "
                         "table.concat(t) end"},
        {"patterns", "local s = (' '):rep(65536) while true do pcall(s.find, s, '%s+x') end"},
        {"json", "local s = '[' .. ('1,'):rep(1e4) .. '1]' while true do interim.json.decode(s) "
                 "end"},
        {"sha256", "local s = ('x'):rep(2^20) while true do interim.sha256(s) end"},
    };

    printf("\na loop that never ends, with 50 ms to run             ms   goal\n");
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++)
        printf("  %-44s  %8.1f   %s\n", loops[i][0], measure_stop(b, loops[i][1], times), "55");
}

/* A thousand lines such as people write. */
static char *long_policy(void)
{
    char *source = NULL;
    size_t size;
    FILE *out = open_memstream(&source, &size);

    if (out == NULL)
        give_up("the policy", SLICE("no memory"));
    fprintf(out, "local interim = require 'interim'\nlocal rules = {}\n");
    for (int i = 0; i < 165; i++)
        fprintf(out,
                "rules[%d] = function(req)\n"
                "  local token = req.headers['x-token-%d']\n"
                "  if token and interim.starts(req.path, '/tenant/%d/') then\n"
                "    return { status = 403, headers = { ['x-rule'] = 'r%d' }, body = 'no\\n' }\n"
                "  end\n"
                "end\n",
                i + 1, i, i, i);
    fprintf(out, "return {\n  listen = '127.0.0.1:8080',\n  upstream = '127.0.0.1:9000',\n"
                 "  request = function(req)\n    for _, rule in ipairs(rules) do\n"
                 "      local answer = rule(req)\n      if answer then return answer end\n"
                 "    end\n  end,\n}\n");
    fclose(out);
    return source;
}

static void bench_loading(struct bench *b)
{
    double check = 1e9, load = 1e9;
    char *source = long_policy();

    write_policy(b, source);
    free(source);
    for (int round = 0; round < ROUNDS; round++) {
        double began = seconds(CLOCK_MONOTONIC);
        read_policy(b);
        double read = seconds(CLOCK_MONOTONIC);
        load_policy(b);
        double loaded = seconds(CLOCK_MONOTONIC);
        b->view.engine = NULL;
        drop_policy(b);
        check = read - began < check ? read - began : check;
        load = loaded - read < load ? loaded - read : load;
    }
    printf("\na policy of 1,000 lines                               ms   goal\n");
    printf("  read and checked, in the loader               %8.1f\n", check * 1e3);
    printf("  loaded, in a worker                           %8.1f   50\n", load * 1e3);
}

int main(int argc, char **argv)
{
    static struct bench b;
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    char why[100];
    int fd;

    snprintf(b.path, sizeof b.path, "/tmp/interim-bench-XXXXXX");
    fd = mkstemp(b.path);
    if (fd < 0 || count < 1)
        give_up(argv[0], SLICE("[COUNT]"));
    close(fd);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* what is logged about hooks that fail */
    log_open("bench", LOG_ERROR);
    buf_init(&b.bundle, 1 << 22);
    buf_init(&b.errors, 1 << 16);
    arena_init(&b.arena, 1 << 24);
    addr_parse(SLICE("127.0.0.1:1"), false, &b.client, 1, why, sizeof why);
    bench_calls(&b, count);
    bench_stops(&b, count < 100000 ? 1 : 20);
    bench_loading(&b);
    unlink(b.path);
    arena_free(&b.arena);
    buf_free(&b.bundle);
    buf_free(&b.errors);
    return 0;
}
