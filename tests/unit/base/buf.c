/* What a buffer promises, above all: never more than its maximum, and all or nothing. */
#include "../fact.h"
#include "../heap.h"

#include "base/buf.h"

static void a_new_buffer_holds_nothing_and_owns_nothing(void **state)
{
    (void)state;
    struct buf b;
    heap_start(0);
    buf_init(&b, 100);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_space(&b), 100);
    assert_true(slice_is_empty(buf_slice(&b)));
    assert_int_equal(heap_calls, 0);
    buf_free(&b);
    assert_int_equal(heap_in_use, 0);
}

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(buf_append_string(&b, "one "));
    assert_true(buf_append_slice(&b, SLICE("two ")));
    assert_true(buf_append(&b, "three", 5));
    assert_text(buf_slice(&b), "one two three");
    buf_consume(&b, 4);
    assert_text(buf_slice(&b), "two three");
    buf_free(&b);
}

static void the_maximum_is_reached_and_never_exceeded(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(buf_append_string(&b, "abcde"));
    assert_int_equal(buf_space(&b), 0);
    assert_false(buf_append_string(&b, "f"));
    assert_null(buf_room(&b, 1));
    assert_text(buf_slice(&b), "abcde");
    buf_free(&b);
}

static void a_refused_append_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_true(buf_append_string(&b, "abc"));
    assert_false(buf_append_string(&b, "12345678"));
    assert_text(buf_slice(&b), "abc");
    assert_true(buf_append_string(&b, "1234567"));
    assert_text(buf_slice(&b), "abc1234567");
    buf_free(&b);
}

static void what_was_consumed_counts_no_more(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(buf_append_string(&b, "abcde"));
    buf_consume(&b, 3);
    assert_int_equal(buf_space(&b), 3);
    assert_true(buf_append_string(&b, "fgh"));
    assert_text(buf_slice(&b), "defgh");
    buf_free(&b);
}

static void consuming_moves_no_byte(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(buf_append_string(&b, "abcde"));
    const char *before = buf_slice(&b).at;
    buf_consume(&b, 2);
    assert_ptr_equal(buf_slice(&b).at, before + 2);
    buf_free(&b);
}

static void room_is_made_by_moving_before_growing(void **state)
{
    (void)state;
    struct buf b;
    heap_start(0);
    buf_init(&b, 512);
    for (int i = 0; i < 10000; i++) {
        assert_true(buf_append_string(&b, "0123456789"));
        assert_text(buf_slice(&b), "0123456789");
        buf_consume(&b, 9);
        buf_consume(&b, 1);
    }
    assert_int_equal(heap_calls, 1);
    buf_free(&b);
}

static void growing_byte_by_byte_allocates_a_few_times(void **state)
{
    (void)state;
    struct buf b;
    heap_start(0);
    buf_init(&b, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_true(buf_append(&b, "x", 1));
    assert_false(buf_append(&b, "x", 1));
    assert_true(heap_calls <= 10);
    assert_int_equal(b.size, 100000);
    buf_free(&b);
    assert_int_equal(heap_in_use, 0);
}

static void growing_keeps_the_bytes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < 100000; i++) {
        char byte = (char)(i % 251);
        assert_true(buf_append(&b, &byte, 1));
        if (i % 3 == 2)
            buf_consume(&b, 1);
    }
    struct slice s = buf_slice(&b);
    unsigned first = 100000 - (unsigned)s.len;
    for (size_t i = 0; i < s.len; i++)
        assert_int_equal((unsigned char)s.at[i], (first + i) % 251);
    buf_free(&b);
}

static void room_is_written_and_committed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    char *room = buf_room(&b, 10);
    assert_non_null(room);
    memcpy(room, "abc", 3);
    buf_commit(&b, 3);
    assert_text(buf_slice(&b), "abc");
    buf_free(&b);
}

static void a_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    heap_start(2);
    buf_init(&b, 10000);
    assert_true(buf_append_string(&b, "abc"));
    assert_null(buf_room(&b, 5000));
    assert_text(buf_slice(&b), "abc");
    assert_non_null(buf_room(&b, 5000));
    buf_free(&b);
    assert_int_equal(heap_in_use, 0);

    heap_start(1);
    buf_init(&b, 100);
    assert_false(buf_append_string(&b, "abc"));
    assert_int_equal(buf_len(&b), 0);
    assert_true(buf_append(&b, NULL, 0));
    buf_free(&b);
}

static void clearing_keeps_memory_and_trimming_gives_it_back(void **state)
{
    (void)state;
    struct buf b;
    heap_start(0);
    buf_init(&b, 100);
    assert_true(buf_append_string(&b, "abc"));
    buf_trim(&b);
    assert_text(buf_slice(&b), "abc");
    buf_clear(&b);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(heap_in_use, 1);
    buf_trim(&b);
    assert_int_equal(heap_in_use, 0);
    assert_int_equal(buf_space(&b), 100);
}

static void numbers_are_decimal(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(buf_append_number(&b, 0));
    assert_true(buf_append_string(&b, " "));
    assert_true(buf_append_number(&b, UINT64_MAX));
    assert_text(buf_slice(&b), "0 18446744073709551615");
    buf_free(&b);
}

static void printing_counts_no_nul(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 6);
    assert_true(buf_printf(&b, "%d-%s", 42, "abc"));
    assert_text(buf_slice(&b), "42-abc");
    assert_false(buf_printf(&b, "x"));
    buf_free(&b);
}

static void long_texts_are_printed_whole_or_not_at_all(void **state)
{
    (void)state;
    struct buf b;
    heap_start(0);
    buf_init(&b, 2000);
    assert_true(buf_printf(&b, "%01999d", 7));
    assert_int_equal(buf_len(&b), 1999);
    assert_int_equal(buf_slice(&b).at[1998], '7');
    assert_false(buf_printf(&b, "%0600d", 7));
    assert_int_equal(buf_len(&b), 1999);
    buf_clear(&b);
    heap_start(1);
    assert_false(buf_printf(&b, "%0600d", 7));
    assert_int_equal(buf_len(&b), 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_holds_nothing_and_owns_nothing),
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(the_maximum_is_reached_and_never_exceeded),
        cmocka_unit_test(a_refused_append_changes_nothing),
        cmocka_unit_test(what_was_consumed_counts_no_more),
        cmocka_unit_test(consuming_moves_no_byte),
        cmocka_unit_test(room_is_made_by_moving_before_growing),
        cmocka_unit_test(growing_byte_by_byte_allocates_a_few_times),
        cmocka_unit_test(growing_keeps_the_bytes),
        cmocka_unit_test(room_is_written_and_committed),
        cmocka_unit_test(a_failed_allocation_changes_nothing),
        cmocka_unit_test(clearing_keeps_memory_and_trimming_gives_it_back),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(printing_counts_no_nul),
        cmocka_unit_test(long_texts_are_printed_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
