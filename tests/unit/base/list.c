/* What a ring promises. */
#include "../fact.h"

#include "base/list.h"

struct item {
    char name;
    struct list node;
};

static void assert_order(const struct list *ring, const char *wanted)
{
    const struct list *node = ring->next;
    for (; *wanted; wanted++, node = node->next) {
        assert_ptr_not_equal(node, ring);
        assert_int_equal(LIST_OWNER(node, struct item, node)->name, *wanted);
        assert_ptr_equal(node->next->prev, node);
    }
    assert_ptr_equal(node, ring);
}

static void nodes_join_at_either_end(void **state)
{
    (void)state;
    struct list ring;
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    list_init(&ring);
    assert_true(list_is_empty(&ring));
    list_push_back(&ring, &b.node);
    list_push_back(&ring, &c.node);
    list_push_front(&ring, &a.node);
    assert_false(list_is_empty(&ring));
    assert_order(&ring, "abc");
}

static void a_node_leaves_once_however_often_it_is_told(void **state)
{
    (void)state;
    struct list ring;
    struct item a = {.name = 'a'}, b = {.name = 'b'};
    list_init(&ring);
    list_push_back(&ring, &a.node);
    list_push_back(&ring, &b.node);
    list_remove(&a.node);
    list_remove(&a.node);
    assert_order(&ring, "b");
    list_remove(&b.node);
    assert_true(list_is_empty(&ring));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_join_at_either_end),
        cmocka_unit_test(a_node_leaves_once_however_often_it_is_told),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
