/* What an arena promises, above all: a warm one allocates nothing, and none exceeds its maximum. */
#include "../fact.h"
#include "../heap.h"

#include "base/arena.h"

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct arena a;
    char *pieces[200];
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_equal((unsigned char)pieces[i][k], i);
    }
    arena_free(&a);
}

static void a_warm_arena_allocates_nothing(void **state)
{
    (void)state;
    struct arena a;
    heap_start(0);
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(&a, 4000));
        arena_reset(&a);
    }
    assert_int_equal(heap_calls, 1);
    assert_int_equal(a.held, 4096);
    arena_free(&a);
    assert_int_equal(heap_in_use, 0);
    assert_int_equal(a.held, 0);
}

static void resetting_keeps_one_block(void **state)
{
    (void)state;
    struct arena a;
    heap_start(0);
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 1000));
    assert_true(heap_in_use > 1);
    assert_true(heap_in_use < 8);
    arena_reset(&a);
    assert_int_equal(heap_in_use, 1);
    arena_free(&a);
    arena_reset(&a);
    assert_int_equal(heap_in_use, 0);
}

static void a_large_piece_gets_a_block_of_its_size(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *piece = arena_alloc(&a, 100000);
    assert_non_null(piece);
    memset(piece, 1, 100000);
    arena_free(&a);
}

static void the_maximum_is_reached_and_never_exceeded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 10000);
    assert_null(arena_alloc(&a, 10001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 4096));
    assert_non_null(arena_alloc(&a, 10000 - 4096));
    assert_null(arena_alloc(&a, 1));
    assert_int_equal(a.held, 10000);
    arena_free(&a);
}

static void an_odd_maximum_can_be_used_to_its_last_byte(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 101);
    char *piece = arena_alloc(&a, 101);
    assert_non_null(piece);
    memset(piece, 1, 101);
    assert_null(arena_alloc(&a, 1));
    arena_free(&a);
}

static void out_of_memory_is_null(void **state)
{
    (void)state;
    struct arena a;
    heap_start(1);
    arena_init(&a, 10000);
    assert_null(arena_alloc(&a, 1));
    heap_start(1);
    assert_null(arena_copy(&a, SLICE("abc")).at);
    heap_start(1);
    assert_null(arena_string(&a, SLICE("abc")));
    heap_start(1);
    assert_null(arena_printf(&a, "%d", 42).at);
    arena_free(&a);
}

static void copies_are_of_their_own(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 10000);
    char text[] = "abc";
    struct slice copy = arena_copy(&a, slice_of(text, 3));
    char *string = arena_string(&a, slice_of(text, 2));
    text[0] = 'x';
    assert_text(copy, "abc");
    assert_string_equal(string, "ab");
    assert_string_equal(arena_string(&a, slice_of(NULL, 0)), "");
    assert_null(arena_copy(&a, SLICE("")).at);
    assert_null(arena_string(&a, slice_of(text, SIZE_MAX)));
    assert_text(arena_printf(&a, "%s=%d", "n", 42), "n=42");
    arena_free(&a);
}

static void releasing_falls_back_to_the_mark(void **state)
{
    (void)state;
    struct arena a;
    heap_start(0);
    arena_init(&a, 1 << 20);
    struct slice kept = arena_copy(&a, SLICE("kept"));
    struct arena_mark mark = arena_mark(&a);
    char *first = arena_alloc(&a, 10);
    for (int i = 0; i < 10; i++)
        assert_non_null(arena_alloc(&a, 4000));
    arena_release(&a, mark);
    assert_int_equal(heap_in_use, 1);
    assert_text(kept, "kept");
    assert_ptr_equal(arena_alloc(&a, 10), first);
    arena_free(&a);
}

static void releasing_to_the_beginning_gives_all_back(void **state)
{
    (void)state;
    struct arena a;
    heap_start(0);
    arena_init(&a, 1 << 20);
    struct arena_mark mark = arena_mark(&a);
    assert_non_null(arena_alloc(&a, 10));
    arena_release(&a, mark);
    assert_int_equal(heap_in_use, 0);
    assert_non_null(arena_alloc(&a, 10));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_warm_arena_allocates_nothing),
        cmocka_unit_test(resetting_keeps_one_block),
        cmocka_unit_test(a_large_piece_gets_a_block_of_its_size),
        cmocka_unit_test(the_maximum_is_reached_and_never_exceeded),
        cmocka_unit_test(an_odd_maximum_can_be_used_to_its_last_byte),
        cmocka_unit_test(out_of_memory_is_null),
        cmocka_unit_test(copies_are_of_their_own),
        cmocka_unit_test(releasing_falls_back_to_the_mark),
        cmocka_unit_test(releasing_to_the_beginning_gives_all_back),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
