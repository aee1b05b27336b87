/*
 * list: a doubly linked ring whose nodes live inside their owners.
 *
 * A node that is in no list points at itself, so taking it out twice does no harm.
 */
#ifndef INTERIM_BASE_LIST_H
#define INTERIM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The owner of a node: LIST_OWNER(node, struct client, node). */
#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline void list_push_front(struct list *l, struct list *node)
{
    node->next = l->next;
    node->prev = l;
    l->next->prev = node;
    l->next = node;
}

static inline void list_push_back(struct list *l, struct list *node)
{
    list_push_front(l->prev, node);
}

#endif
