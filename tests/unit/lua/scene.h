/*
 * scene: a policy written as text in a test, an exchange made by hand, and hooks asked through
 * core/proxy/policy.h. Each test runs in an empty folder of its own, in which the policy is
 * policy.lua; what is logged is kept for the test to look at.
 */
#ifndef INTERIM_TESTS_LUA_SCENE_H
#define INTERIM_TESTS_LUA_SCENE_H

#include "base/log.h"
#include "proxy/engine.h"

#include <ev.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    char folder[64];
    char *back; /* the folder before */
    struct ev_loop *loop;
    struct settings settings;
    struct buf bundle;
    struct buf errors;
    struct policy *policy;
    struct arena arena;
    struct request request;
    struct response response;
    struct addr client;
    struct policy_view view;
    struct policy_call call;
    unsigned done; /* times `done` was called */
    int log;       /* what stands in for stderr */
    int stderr_copy;
    char text[65536]; /* of scene_errors and scene_log */
};

static const struct policy_trouble scene_trouble = {
    .kind = "response",
    .status = 524,
    .after = 100,
    .elapsed = 100.5,
    .upstream = "app",
    .address = "127.0.0.1:9000",
    .detail = "no answer",
    .interims = 2,
    .last_interim = 103,
    .bytes_sent = 7,
};

static const int scene_codes[] = {100, 103};

static const struct policy_result scene_result = {
    .status = 200,
    .outcome = "upstream",
    .error = "",
    .upstream = "app",
    .address = "127.0.0.1:9000",
    .expect = "forward",
    .upgrade = "",
    .interims = scene_codes,
    .interim_count = 2,
    .bytes_in = 1,
    .bytes_out = 2,
    .tunnel_in = 3,
    .tunnel_out = 4,
    .elapsed = 0.5,
    .connect = 0.25,
    .first_byte = 0.125,
    .reused = true,
};

static inline void scene_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static inline void scene_done(struct policy_call *call)
{
    ((struct scene *)(void *)((char *)call - offsetof(struct scene, call)))->done++;
}

static inline int scene_set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(s->folder, sizeof s->folder, "/tmp/interim-unit-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    s->back = getcwd(NULL, 0);
    assert_int_equal(chdir(s->folder), 0);
    s->loop = ev_loop_new(EVFLAG_AUTO);
    buf_init(&s->bundle, 1 << 24);
    buf_init(&s->errors, 1 << 16);
    arena_init(&s->arena, 1 << 20);
    s->log = memfd_create("log", MFD_CLOEXEC);
    s->stderr_copy = dup(STDERR_FILENO);
    dup2(s->log, STDERR_FILENO);
    *state = s;
    return 0;
}

static inline int scene_remove(const char *path, const struct stat *about, int type,
                               struct FTW *ftw)
{
    (void)about, (void)type, (void)ftw;
    return remove(path);
}

static inline int scene_tear_down(void **state)
{
    struct scene *s = *state;
    if (s->policy != NULL) {
        s->policy->ops->forget(s->policy, &s->view);
        s->policy->ops->free(s->policy);
    }
    dup2(s->stderr_copy, STDERR_FILENO);
    close(s->stderr_copy);
    close(s->log);
    arena_free(&s->arena);
    buf_free(&s->bundle);
    buf_free(&s->errors);
    ev_loop_destroy(s->loop);
    assert_int_equal(chdir(s->back), 0);
    free(s->back);
    nftw(s->folder, scene_remove, 4, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

/* Reads policy.lua of this text. */
static inline bool scene_read(struct scene *s, const char *source)
{
    scene_write("policy.lua", source);
    settings_default(&s->settings);
    buf_clear(&s->bundle);
    buf_clear(&s->errors);
    return policy_engine.read("policy.lua", &s->settings, &s->bundle, &s->errors);
}

static inline const char *scene_errors(struct scene *s)
{
    struct slice errors = buf_slice(&s->errors);
    snprintf(s->text, sizeof s->text, "%.*s", SLICE_ARG(errors));
    return s->text;
}

/* Everything logged so far. */
static inline const char *scene_log(struct scene *s)
{
    ssize_t n = pread(s->log, s->text, sizeof s->text - 1, 0);
    s->text[n < 0 ? 0 : n] = '\0';
    return s->text;
}

static inline void scene_forget_log(struct scene *s)
{
    assert_int_equal(ftruncate(s->log, 0), 0);
    assert_int_equal(lseek(s->log, 0, SEEK_SET), 0);
}

/* Ends the exchange before, and begins one with this request. */
static inline void scene_begin(struct scene *s, const char *head)
{
    static const struct lint_limits limits = {8192, 32768, 128};
    bool disagreed = false;
    static uint64_t id = 40;
    if (s->policy != NULL)
        s->policy->ops->forget(s->policy, &s->view);
    arena_reset(&s->arena);
    struct slice bytes = arena_copy(&s->arena, slice_of_string(head));
    assert_false(fault_is(request_read(&s->request, &s->arena, bytes, &limits, &disagreed)));
    char why[100];
    assert_int_equal(addr_parse(SLICE("10.1.2.3:4567"), false, &s->client, 1, why, sizeof why), 1);
    id++;
    s->view = (struct policy_view){
        .id = id,
        .request_id = "1-7f",
        .arena = &s->arena,
        .settings = &s->settings,
        .request = &s->request,
        .client = &s->client,
        .upstream = s->settings.upstream,
        .max_body = UINT64_MAX,
        .trouble = &scene_trouble,
        .result = &scene_result,
    };
    s->call = (struct policy_call){.view = &s->view, .done = scene_done};
    s->done = 0;
}

/* The final response of the origin, for the response hook. */
static inline void scene_answer(struct scene *s, const char *head)
{
    static const struct lint_limits limits = {8192, 32768, 128};
    bool disagreed = false;
    struct slice bytes = arena_copy(&s->arena, slice_of_string(head));
    assert_false(
        fault_is(response_read(&s->response, &s->arena, bytes, false, &limits, &disagreed)));
    s->view.response = &s->response;
}

#define SCENE_GET                                                                                  \
    "GET /a/b?x=1 HTTP/1.1\r\nHost: app.example\r\nX-One: 1\r\nX-Two: a\r\nx-two: b\r\n\r\n"
#define SCENE_PUT                                                                                  \
    "PUT /up HTTP/1.1\r\nHost: app.example\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"
#define SCENE_UPGRADE                                                                              \
    "GET /ws HTTP/1.1\r\nHost: app.example\r\nConnection: upgrade\r\n"                             \
    "Upgrade: websocket, foo/2\r\nSec-WebSocket-Key: x\r\n\r\n"
#define SCENE_200 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Up: 1\r\nSet-Cookie: a=1\r\n\r\n"

/* Loads what was read. */
static inline void scene_load(struct scene *s)
{
    s->policy = policy_engine.load(buf_slice(&s->bundle), &s->settings, s->loop, &s->errors);
    if (s->policy == NULL)
        print_message("%s", scene_errors(s));
    assert_non_null(s->policy);
}

/* A policy whose table has these fields beside listen and upstream; `before` stands above it. */
static inline void scene_policy(struct scene *s, const char *before, const char *fields)
{
    static char source[65536];
    snprintf(source, sizeof source,
             "%s\nreturn { listen = '127.0.0.1:8080', upstreams = { app = '127.0.0.1:9000', "
             "uploads = '127.0.0.1:9001' }, upstream = 'app',\n%s }\n",
             before, fields);
    if (!scene_read(s, source))
        print_message("%s", scene_errors(s));
    assert_string_equal(scene_errors(s), "");
    scene_load(s);
    scene_begin(s, SCENE_GET);
}

/* Ends the exchange and drops the policy. */
static inline void scene_drop(struct scene *s)
{
    s->policy->ops->forget(s->policy, &s->view);
    s->policy->ops->free(s->policy);
    s->policy = NULL;
}

/* Asks a hook that answers at once. */
static inline const struct verdict *scene_ask(struct scene *s, enum policy_hook hook)
{
    s->call.hook = hook;
    s->call.verdict = (struct verdict){.kind = VERDICT_DEFAULT};
    assert_true(policy_has(s->policy, hook));
    assert_true(s->policy->ops->ask(s->policy, &s->call));
    assert_null(s->call.waiting);
    return &s->call.verdict;
}

/* Asks a hook that is to wait. */
static inline void scene_ask_waiting(struct scene *s, enum policy_hook hook)
{
    s->call.hook = hook;
    assert_false(s->policy->ops->ask(s->policy, &s->call));
    assert_non_null(s->call.waiting);
    assert_int_equal(s->done, 0);
}

static inline bool scene_logged(struct scene *s, const char *part)
{
    if (strstr(scene_log(s), part) != NULL)
        return true;
    print_message("not logged: %s\nbut:\n%s\n", part, s->text);
    return false;
}

#endif
