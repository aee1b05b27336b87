/*
 * The command line: what each form means, and what a wrong one is answered with.
 */
#include "process/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct cli cli;
static char message[CLI_MESSAGE_MAX];

/* Parses "interim" and the words up to the first NULL. */
static bool parse(const char *first, ...)
{
    char *argv[32] = {(char *)(uintptr_t) "interim"};
    int argc = 1;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    va_end(words);
    message[0] = '\0';
    return cli_parse(&cli, argc, argv, message);
}

static void a_policy_alone_is_run(void **state)
{
    (void)state;
    assert_true(parse("policy.lua", NULL));
    assert_int_equal(cli.command, CLI_RUN);
    assert_string_equal(cli.policy, "policy.lua");
    assert_int_equal(cli.workers, 0);
    assert_int_equal(cli.log_level, LOG_INFO);
}

static void run_and_check_take_a_policy(void **state)
{
    (void)state;
    assert_true(parse("run", "policy.lua", NULL));
    assert_int_equal(cli.command, CLI_RUN);
    assert_string_equal(cli.policy, "policy.lua");
    assert_true(parse("check", "policy.lua", NULL));
    assert_int_equal(cli.command, CLI_CHECK);
    assert_string_equal(cli.policy, "policy.lua");
}

static void reload_and_upgrade_ask_the_only_one_or_a_process(void **state)
{
    (void)state;
    assert_true(parse("reload", NULL));
    assert_int_equal(cli.command, CLI_RELOAD);
    assert_int_equal(cli.pid, 0);
    assert_true(parse("upgrade", "1234", NULL));
    assert_int_equal(cli.command, CLI_UPGRADE);
    assert_int_equal(cli.pid, 1234);
    assert_false(parse("reload", "policy.lua", NULL));
    assert_string_equal(message,
                        "reload takes the process id of a running interim, not \"policy.lua\"");
    assert_false(parse("reload", "0", NULL));
    assert_false(parse("reload", "2147483648", NULL));
    assert_false(parse("upgrade", "1", "2", NULL));
    assert_non_null(strstr(message, "not \"2\""));
    assert_false(parse("reload", "--workers", "2", NULL));
    assert_false(parse("reload", "--listen", "1", NULL));
}

static void a_command_without_its_policy_is_refused(void **state)
{
    (void)state;
    assert_false(parse("run", NULL));
    assert_string_equal(message, "run needs a policy file: interim run policy.lua");
    assert_false(parse("check", NULL));
    assert_string_equal(message, "check needs a policy file: interim check policy.lua");
}

static void options_stand_anywhere_with_a_space_or_an_equals_sign(void **state)
{
    (void)state;
    assert_true(parse("--workers", "3", "policy.lua", "--log-level=debug", NULL));
    assert_int_equal(cli.workers, 3);
    assert_int_equal(cli.log_level, LOG_DEBUG);
    assert_string_equal(cli.policy, "policy.lua");
}

static void addresses_run_without_a_policy(void **state)
{
    (void)state;
    assert_true(parse("--listen", "127.0.0.1:80", "--listen=[::1]:80", "--upstream", "a:1",
                      "--upstream", "b:2", NULL));
    assert_int_equal(cli.command, CLI_RUN);
    assert_null(cli.policy);
    assert_int_equal(cli.listen_count, 2);
    assert_string_equal(cli.listen[1], "[::1]:80");
    assert_int_equal(cli.upstream_count, 2);
    assert_string_equal(cli.upstream[0], "a:1");
}

static void half_of_the_addresses_is_not_enough(void **state)
{
    (void)state;
    assert_false(parse("--listen", "127.0.0.1:80", NULL));
    assert_non_null(strstr(message, "--upstream is missing"));
    assert_false(parse("--upstream", "127.0.0.1:80", NULL));
    assert_non_null(strstr(message, "--listen is missing"));
    assert_false(parse(NULL, NULL));
    assert_non_null(strstr(message, "a policy file is needed"));
}

static void addresses_beside_a_policy_are_refused(void **state)
{
    (void)state;
    assert_false(parse("policy.lua", "--listen", "127.0.0.1:80", NULL));
    assert_non_null(strstr(message, "without a policy file"));
}

static void a_misspelt_option_is_answered_with_the_nearest(void **state)
{
    (void)state;
    assert_false(parse("--lisen", "127.0.0.1:80", NULL));
    assert_string_equal(message, "unknown option \"--lisen\"; did you mean \"--listen\"?");
    assert_false(parse("--upstreams=a:1", NULL));
    assert_string_equal(message,
                        "unknown option \"--upstreams=a:1\"; did you mean \"--upstream\"?");
    assert_false(parse("--xyzzy", NULL));
    assert_string_equal(message, "unknown option \"--xyzzy\"");
}

static void a_misspelt_command_is_answered_with_the_nearest(void **state)
{
    (void)state;
    assert_false(parse("chek", "policy.lua", NULL));
    assert_string_equal(message, "unknown command \"chek\"; did you mean \"check\"?");
    assert_true(parse("./chek", NULL));
    assert_string_equal(cli.policy, "./chek");
}

static void a_misspelt_level_is_answered_with_the_nearest(void **state)
{
    (void)state;
    assert_false(parse("policy.lua", "--log-level", "warn", NULL));
    assert_non_null(strstr(message, "unknown log level \"warn\""));
    assert_false(parse("policy.lua", "--log-level", "eror", NULL));
    assert_string_equal(message, "unknown log level \"eror\"; did you mean \"error\"?");
}

static void workers_are_a_number_from_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "257", "two", "-1", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(parse("policy.lua", "--workers", bad[i], NULL));
        assert_non_null(strstr(message, "--workers takes a number from 1 to 256"));
    }
    assert_true(parse("policy.lua", "--workers", "256", NULL));
    assert_int_equal(cli.workers, 256);
    assert_false(parse("check", "policy.lua", "--workers", "2", NULL));
}

static void a_tool_is_given_all_words_behind_its_name(void **state)
{
    (void)state;
    assert_true(parse("try", "policy.lua", "GET", "--help", NULL));
    assert_int_equal(cli.command, CLI_TRY);
    assert_int_equal(cli.tool_argc, 3);
    assert_string_equal(cli.tool_argv[2], "--help");
    assert_true(parse("test", NULL));
    assert_int_equal(cli.command, CLI_TEST);
    assert_int_equal(cli.tool_argc, 0);
    assert_true(parse("types", NULL));
    assert_int_equal(cli.command, CLI_TYPES);
    assert_true(parse("status", "127.0.0.1:1", "--json", NULL));
    assert_int_equal(cli.command, CLI_STATUS);
    assert_int_equal(cli.tool_argc, 2);
    assert_true(parse("top", NULL));
    assert_int_equal(cli.command, CLI_TOP);
    assert_false(parse("--workers", "2", "try", "policy.lua", NULL));
    assert_string_equal(message, "status, top, try, test and types come first, before any option");
    assert_false(parse("tets", NULL));
    assert_string_equal(message, "unknown command \"tets\"; did you mean \"test\"?");
}

static void what_there_can_be_too_many_of_is_bounded(void **state)
{
    static char *argv[2 * SETTINGS_ADDRESSES + 4];
    int argc = 1;
    (void)state;
    argv[0] = (char *)(uintptr_t) "interim";
    while (argc < 2 * SETTINGS_LISTENERS + 3) {
        argv[argc++] = (char *)(uintptr_t) "--listen";
        argv[argc++] = (char *)(uintptr_t) "1";
    }
    assert_false(cli_parse(&cli, argc, argv, message));
    assert_string_equal(message, "too many --listen");
    argc = 1;
    while (argc < 2 * SETTINGS_ADDRESSES + 3) {
        argv[argc++] = (char *)(uintptr_t) "--upstream";
        argv[argc++] = (char *)(uintptr_t) "a:1";
    }
    assert_false(cli_parse(&cli, argc, argv, message));
    assert_string_equal(message, "too many --upstream");
}

static void what_is_allowed_is_allowed_to_a_policy(void **state)
{
    (void)state;
    assert_true(parse("policy.lua", "--allow", "io,os", NULL));
    assert_int_equal(cli.allow, settings_allow_bit(SLICE("io")) | settings_allow_bit(SLICE("os")));
    assert_false(parse("policy.lua", "--allow", "io,network", NULL));
    assert_string_equal(message, "--allow takes io, os, ffi, jit, debug, load, not \"network\"");
    assert_false(parse("--listen", "1", "--upstream", "a:1", "--allow", "io", NULL));
    assert_string_equal(message, "--allow is for a policy file: there is none");
    assert_false(parse("reload", "--allow", "io", NULL));
    assert_string_equal(message, "options are for starting: what runs is only asked");
}

static void an_option_at_the_end_lacks_its_value(void **state)
{
    (void)state;
    assert_false(parse("policy.lua", "--workers", NULL));
    assert_string_equal(message, "--workers needs a value");
}

static void a_second_policy_is_refused(void **state)
{
    (void)state;
    assert_false(parse("run", "a.lua", "b.lua", NULL));
    assert_string_equal(message, "one policy file is enough: what is \"b.lua\"?");
    assert_false(parse("a.lua", "b.lua", NULL));
    assert_false(parse("run", "a.lua", "b.lua", "c.lua", "d.lua", NULL));
}

static void help_and_version_win_over_the_rest(void **state)
{
    (void)state;
    assert_true(parse("run", "--help", NULL));
    assert_int_equal(cli.command, CLI_HELP);
    assert_true(parse("help", NULL));
    assert_int_equal(cli.command, CLI_HELP);
    assert_true(parse("--version", "--nonsense", NULL));
    assert_int_equal(cli.command, CLI_VERSION);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_true(parse("run", "--", "--policy", NULL));
    assert_string_equal(cli.policy, "--policy");
}

static void help_names_every_option_and_command(void **state)
{
    (void)state;
    static const char *const words[] = {
        "--listen", "--upstream", "--workers", "--log-level", "--version", "--help",
        "run",      "check",      "try",       "test",        "types",     "help",
        "HUP",      "TERM",       "INT",       "USR1",        "stats"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(cli_help, words[i]));
}

static void long_words_are_cut_in_messages(void **state)
{
    (void)state;
    char word[1000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_false(parse(word, NULL));
    assert_true(strlen(message) < CLI_MESSAGE_MAX);
    assert_non_null(strstr(message, "unknown command"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_alone_is_run),
        cmocka_unit_test(run_and_check_take_a_policy),
        cmocka_unit_test(reload_and_upgrade_ask_the_only_one_or_a_process),
        cmocka_unit_test(a_command_without_its_policy_is_refused),
        cmocka_unit_test(options_stand_anywhere_with_a_space_or_an_equals_sign),
        cmocka_unit_test(addresses_run_without_a_policy),
        cmocka_unit_test(half_of_the_addresses_is_not_enough),
        cmocka_unit_test(addresses_beside_a_policy_are_refused),
        cmocka_unit_test(a_misspelt_option_is_answered_with_the_nearest),
        cmocka_unit_test(a_misspelt_command_is_answered_with_the_nearest),
        cmocka_unit_test(a_misspelt_level_is_answered_with_the_nearest),
        cmocka_unit_test(workers_are_a_number_from_one),
        cmocka_unit_test(a_tool_is_given_all_words_behind_its_name),
        cmocka_unit_test(what_there_can_be_too_many_of_is_bounded),
        cmocka_unit_test(what_is_allowed_is_allowed_to_a_policy),
        cmocka_unit_test(an_option_at_the_end_lacks_its_value),
        cmocka_unit_test(a_second_policy_is_refused),
        cmocka_unit_test(help_and_version_win_over_the_rest),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_names_every_option_and_command),
        cmocka_unit_test(long_words_are_cut_in_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
