/*
 * The operators' reference says what is so: every example in lua/README.md is executed, and the
 * defaults that it spells out are the proxy's.
 *
 * A block marked lua is a whole policy if a line of it begins with `return {`; otherwise it is a
 * list of statements, and runs as the beginning of one. A test file is run by
 * tests/wire/test_offline.
 */
#include "proxy/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#define FENCE             "```lua\n"
#define HEAD              "local interim = require \"interim\"\n"
#define TAIL              "return { listen = \"127.0.0.1:8080\", upstream = \"127.0.0.1:9000\" }\n"
#define POLICY_MAX        (1 << 16)
#define EXAMPLES_AT_LEAST 20

static char *readme;

/* The next block at *at: its text goes to `policy`, made whole. False: there is none. */
static bool next_example(const char **at, char *policy)
{
    const char *begin = strstr(*at, FENCE);
    if (begin == NULL)
        return false;
    begin += strlen(FENCE);
    const char *end = strstr(begin, "```\n");
    assert_non_null(end);
    *at = end + strlen("```\n");
    int len = (int)(end - begin);
    snprintf(policy, POLICY_MAX, "%.*s", len, begin);
    bool whole = strncmp(policy, "return {", 8) == 0 || strstr(policy, "\nreturn {") != NULL;
    bool headed = strstr(policy, HEAD) != NULL;
    int n =
        snprintf(policy, POLICY_MAX, "%s%.*s%s", headed ? "" : HEAD, len, begin, whole ? "" : TAIL);
    assert_true(n < POLICY_MAX);
    return true;
}

/* Reads the policy and loads it again from its bundle, as the proxy does. */
static void load(const char *policy, struct settings *settings)
{
    char path[] = "/tmp/interim-readme-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, policy, strlen(policy)), strlen(policy));
    close(fd);
    struct buf bundle;
    struct buf errors;
    buf_init(&bundle, 1 << 20);
    buf_init(&errors, 1 << 16);
    settings_default(settings);
    bool good = policy_engine.read(path, settings, &bundle, &errors);
    unlink(path);
    struct policy *loaded = NULL;
    if (good)
        loaded = policy_engine.load(buf_slice(&bundle), settings, EV_DEFAULT, &errors);
    if (loaded == NULL) {
        struct slice why = buf_slice(&errors);
        fail_msg("%.*s\nin:\n%s", (int)why.len, why.at, policy);
    } else {
        loaded->ops->free(loaded);
    }
    buf_free(&bundle);
    buf_free(&errors);
}

static void every_example_loads(void **state)
{
    static char policy[POLICY_MAX];
    static struct settings settings;
    const char *at = readme;
    int count = 0;
    (void)state;
    for (; next_example(&at, policy); count++)
        if (strstr(policy, "\"interim.test\"") == NULL)
            load(policy, &settings);
    assert_true(count >= EXAMPLES_AT_LEAST);
}

static void the_defaults_that_are_written_out_are_the_defaults(void **state)
{
    static char policy[POLICY_MAX];
    static struct settings settings;
    static struct settings defaults;
    const char *at = strstr(readme, "spells out every timeout and limit");
    (void)state;
    assert_non_null(at);
    assert_true(next_example(&at, policy));
    load(policy, &settings);
    settings_default(&defaults);
    assert_memory_equal(&settings.timeouts, &defaults.timeouts, sizeof(settings.timeouts));
    assert_memory_equal(&settings.limits, &defaults.limits, sizeof(settings.limits));
    /* Every member is there: what is left out would be the default unseen. */
    static const char *const names[] = {
        "header",
        "idle",
        "body",
        "connect",
        "send",
        "response",
        "processing",
        "exchange",
        "stall",
        "half_close",
        "tunnel",
        "hook",
        "linger",
        "upstream_idle",
        "continue",
        "processing_restarts",
        "request_line",
        "head",
        "fields",
        "interim",
        "interim_bytes",
        "linger_bytes",
        "policy_memory",
        "hook_cpu",
        "generations",
        "connections",
        "requests",
        "buffered",
        "connections_per_address",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "\n    %s ", names[i]);
        assert_non_null(strstr(policy, line));
    }
}

static void every_hook_has_its_chapter(void **state)
{
    (void)state;
    for (enum policy_hook hook = 0; hook < HOOK_COUNT; hook++) {
        char row[64];
        snprintf(row, sizeof(row), "| [`%s(req", policy_hook_name(hook));
        if (strstr(readme, row) == NULL)
            fail_msg("no row for %s", policy_hook_name(hook));
    }
}

static int read_readme(void **state)
{
    (void)state;
    FILE *file = fopen(LUA_README, "r");
    assert_non_null(file);
    readme = calloc(1, 1 << 20);
    assert_non_null(readme);
    assert_true(fread(readme, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return 0;
}

static int free_readme(void **state)
{
    (void)state;
    free(readme);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_loads),
        cmocka_unit_test(the_defaults_that_are_written_out_are_the_defaults),
        cmocka_unit_test(every_hook_has_its_chapter),
    };
    return cmocka_run_group_tests(tests, read_readme, free_readme);
}
