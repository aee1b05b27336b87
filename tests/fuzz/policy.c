/*
 * fuzz policy: any text as a policy file, read and loaded as by `interim check`, its hooks asked.
 *
 * Must hold:
 *
 * - whatever the text does ends within its budgets, which are counted here in steps of a clock that
 *   moves when it is looked at, and what ends by a budget has failed, whatever it caught; no name
 * is looked up on a network;
 * - it is either taken, and then without a word, or refused with at least one error, each one line
 *   of plain bytes that names a file;
 * - what was read loads again from its bundle;
 * - done twice, all of it comes to the same, unless a budget ends or the text asks for what is
 * never the same.
 */
#include "engine.h"
#include "trial.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ERRORS_MAX (1 << 20)
#define MEMORY_MAX (2u << 20)
#define AROUND     (128u << 10) /* what may be allocated around a hook, outside its budget */
#define LOOK       0.002        /* seconds that pass at each look at the clock: a hook has 25 */
#define LOOK_SLOW  0.1          /* the same for hooks that sleep */

/* ---- what the linker puts in the place of others ---- */

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
double __wrap_sys_monotonic(void);
void __real_settings_default(struct settings *s);
void __wrap_settings_default(struct settings *s);

/* Any name that is no address is unknown. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, found);
}

static double seconds;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    seconds += LOOK;
    *now = (struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    return 0;
}

double __wrap_sys_monotonic(void)
{
    return seconds += LOOK_SLOW;
}

void __wrap_settings_default(struct settings *s)
{
    __real_settings_default(s);
    s->limits.policy_memory = MEMORY_MAX;
}

/* ---- the exchange ---- */

static const struct slice request = SLICE_INIT("PUT /a/b?c=d HTTP/1.1\r\nHost: example\r\n"
                                               "Expect: 100-continue\r\nCookie: a=b\r\n"
                                               "Content-Length: 7\r\nX-A: 1\r\nX-A: 2\r\n\r\n");
static const struct slice upgrade = SLICE_INIT("GET /ws HTTP/1.1\r\nHost: example\r\n"
                                               "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n"
                                               "\r\n");
static const struct slice response = SLICE_INIT("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n"
                                                "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n");
static const int codes[] = {100, 103};

static const struct policy_trouble trouble = {
    .kind = "response",
    .status = 524,
    .after = 100,
    .upstream = "app",
    .address = "127.0.0.1:9000",
    .detail = "no answer",
    .interims = 2,
    .last_interim = 103,
};
static const struct policy_result result = {
    .status = 404,
    .outcome = "upstream",
    .error = "",
    .upstream = "app",
    .address = "127.0.0.1:9000",
    .expect = "forward-100",
    .upgrade = "",
    .interims = codes,
    .interim_count = 2,
};

/* ---- one run ---- */

static int file = -1;
static char path[32];

struct run {
    struct buf errors;
    struct buf verdicts; /* a line each */
    bool spent;          /* a hook came to the end of a budget */
};

static void note(struct run *r, const struct verdict *v)
{
    bool fits = buf_printf(&r->verdicts, "%d %d %zu %zu\n", (int)v->kind, v->status, v->field_count,
                           v->body.len);
    assert(fits);
    assert(v->kind != VERDICT_ANSWER || (v->status >= 200 && v->status <= 599));
    assert(v->body.len <= POLICY_BODY_MAX);
}

static struct budget *budget_in(const struct trial *t)
{
    return &LIST_OWNER(t->policy, struct engine, policy)->budget;
}

static void ask(struct run *r, struct trial *t, enum policy_hook hook)
{
    const struct verdict *v = trial_ask(t, hook);
    if (policy_has(t->policy, hook) && budget_is_over(budget_in(t))) {
        assert(v->kind == VERDICT_FAILED);
        r->spent = true;
    }
    assert(budget_in(t)->used <= MEMORY_MAX + AROUND);
    note(r, v);
}

static void begin(struct trial *t, struct slice head)
{
    struct fault fault;
    char why[128];
    bool begun = trial_begin(t, head, SLICE("192.0.2.1"), &fault, why, sizeof why);
    assert(begun);
    /* The policy's limits may be narrow. */
    assert(!fault_is(fault) || fault.status == 414 || fault.status == 431);
}

static void ask_all(struct run *r, struct trial *t)
{
    begin(t, upgrade);
    ask(r, t, HOOK_UPGRADE);
    begin(t, request);
    ask(r, t, HOOK_REQUEST);
    ask(r, t, HOOK_EXPECT);
    t->view.trouble = &trouble;
    ask(r, t, HOOK_TIMEOUT);
    ask(r, t, HOOK_ERROR);
    t->view.trouble = NULL;
    if (!fault_is(trial_respond(t, response)))
        ask(r, t, HOOK_RESPONSE);
    t->view.result = &result;
    ask(r, t, HOOK_LOG);
}

/* A file by its path, or a module that travels inside the program by its name. */
static void check_errors(struct slice errors)
{
    while (errors.len > 0) {
        size_t end = slice_find(errors, '\n');
        assert(end < errors.len);
        for (size_t i = 0; i < end; i++)
            assert((unsigned char)errors.at[i] >= ' ' && errors.at[i] != 0x7f);
        assert(slice_starts(errors, slice_of_string(path)) ||
               slice_starts(errors, SLICE("interim.")));
        errors = slice_skip(errors, end + 1);
    }
}

static void run(struct run *r)
{
    struct trial t;
    seconds = 0;
    r->spent = false;
    buf_init(&r->errors, ERRORS_MAX);
    buf_init(&r->verdicts, ERRORS_MAX);
    bool taken = trial_open(&t, path, 0, &r->errors);
    assert(taken == (buf_len(&r->errors) == 0));
    check_errors(buf_slice(&r->errors));
    assert(!taken || !budget_is_over(budget_in(&t)));
    /* Compiled loops know no budget, and what is loaded may already be more. */
    if (taken && !t.settings.jit && budget_in(&t)->used <= MEMORY_MAX) {
        budget_in(&t)->max = MEMORY_MAX;
        ask_all(r, &t);
    }
    trial_close(&t);
}

static bool is_name_byte(char c)
{
    char lower = slice_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool has_name(struct slice text, struct slice name)
{
    const char *at = text.at, *end = text.at + text.len;
    while (at < end && (at = memmem(at, (size_t)(end - at), name.at, name.len)) != NULL) {
        bool begins = at == text.at || !is_name_byte(at[-1]);
        at += name.len;
        if (begins && (at == end || !is_name_byte(*at)))
            return true;
    }
    return false;
}

/* Clocks, addresses of objects, chance, and the order of a table, which the modules of interim ask
 * for, too. */
static bool may_differ(struct slice text)
{
    static const struct slice names[] = {
        SLICE_INIT("os"),        SLICE_INIT("math"),     SLICE_INIT("_G"),      SLICE_INIT("now"),
        SLICE_INIT("monotonic"), SLICE_INIT("tostring"), SLICE_INIT("pairs"),   SLICE_INIT("next"),
        SLICE_INIT("format"),    SLICE_INIT("encode"),   SLICE_INIT("scripts"), SLICE_INIT("test"),
        SLICE_INIT("runner"),    SLICE_INIT("try"),      SLICE_INIT("way"),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (has_name(text, names[i]))
            return true;
    return false;
}

static bool has_text(const struct buf *errors, struct slice text)
{
    struct slice all = buf_slice(errors);
    return all.len > 0 && memmem(all.at, all.len, text.at, text.len) != NULL;
}

/* Garbage is not collected at the same place each time: who comes near the end of a budget may
 * reach it or not. */
static bool is_spent(const struct run *r)
{
    return r->spent || has_text(&r->errors, SLICE("limits.policy_memory")) ||
           has_text(&r->errors, SLICE("loading needs more than")) ||
           has_text(&r->errors, SLICE("not enough memory")) ||
           has_text(&r->errors, SLICE("on the CPU at a stretch"));
}

static void check_same(const struct run *a, const struct run *b)
{
    if (is_spent(a) || is_spent(b))
        return;
    assert(slice_equals(buf_slice(&a->errors), buf_slice(&b->errors)));
    assert(slice_equals(buf_slice(&a->verdicts), buf_slice(&b->verdicts)));
}

static void write_file(struct slice text)
{
    if (file < 0) {
        file = memfd_create("policy.lua", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    bool cut = ftruncate(file, 0) == 0;
    ssize_t n = pwrite(file, text.at, text.len, 0);
    assert(cut && n == (ssize_t)text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice text = slice_of((const char *)bytes, size);
    struct run first, second;
    write_file(text);
    run(&first);
    if (!may_differ(text)) {
        run(&second);
        check_same(&first, &second);
        buf_free(&second.errors);
        buf_free(&second.verdicts);
    }
    buf_free(&first.errors);
    buf_free(&first.verdicts);
    return 0;
}
