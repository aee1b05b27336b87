/*
 * What a person meant, by examples.
 */
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *hint_for(const char *word)
{
    static const char *const known[] = {"connect", "response", "idle", "via"};
    static char hint[WORDS_HINT_MAX];

    return words_hint(hint, sizeof hint, slice_of_string(word), known, 4);
}

static void the_nearest_known_word_is_suggested(void **state)
{
    (void)state;
    assert_string_equal(hint_for("conect"), "; did you mean \"connect\"?");
    assert_string_equal(hint_for("conncet"), "; did you mean \"connect\"?");
    assert_string_equal(hint_for("Idle"), "; did you mean \"idle\"?");
    assert_string_equal(hint_for("repsonse"), "; did you mean \"response\"?");
    assert_string_equal(hint_for("va"), "; did you mean \"via\"?");
}

static void what_is_near_to_nothing_gets_no_suggestion(void **state)
{
    (void)state;
    assert_string_equal(hint_for("colour"), "");
    assert_string_equal(hint_for(""), "");
    assert_string_equal(hint_for("a_word_that_is_longer_than_any_that_is_known"), "");
}

static void durations_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        double seconds; /* negative: refused */
    } cases[] = {
        {"250ms", 0.25}, {"100s", 100}, {"1.5s", 1.5}, {"5m", 300}, {"1h", 3600}, {"0s", 0},
        {"", -1},        {"5", -1},     {"s", -1},     {"5 s", -1}, {"-5s", -1},  {"5S", -1},
        {"1.s", -1},     {".5s", -1},   {"1e3s", -1},  {"5sm", -1}, {"1d", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double seconds = -1;
        assert_int_equal(words_to_seconds(slice_of_string(cases[i].text), &seconds),
                         cases[i].seconds >= 0);
        assert_true(seconds == cases[i].seconds);
    }
}

static void sizes_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        double bytes; /* negative: refused */
    } cases[] = {
        {"512", 512}, {"64k", 65536}, {"50m", 52428800}, {"1g", 1073741824}, {"0", 0},
        {"", -1},     {"k", -1},      {"64K", -1},       {"64kb", -1},       {"-1", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double bytes = -1;
        assert_int_equal(words_to_bytes(slice_of_string(cases[i].text), &bytes),
                         cases[i].bytes >= 0);
        assert_true(bytes == cases[i].bytes);
    }
}

static void a_message_is_one_line_without_control_bytes(void **state)
{
    char text[] = "a\r\n\tb\x1b[2J\x7f\xc3\xa9";
    (void)state;
    words_put_on_one_line(text);
    assert_string_equal(text, "a   b [2J \xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_known_word_is_suggested),
        cmocka_unit_test(what_is_near_to_nothing_gets_no_suggestion),
        cmocka_unit_test(durations_are_read_as_people_write_them),
        cmocka_unit_test(sizes_are_read_as_people_write_them),
        cmocka_unit_test(a_message_is_one_line_without_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
