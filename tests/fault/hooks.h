/*
 * hooks: a policy in C that says what its scene wants, at once or when it is told to.
 */
#ifndef INTERIM_TESTS_FAULT_HOOKS_H
#define INTERIM_TESTS_FAULT_HOOKS_H

#include "scene.h"

/* For a new scene. */
void hooks_begin(const struct scene *scene);

/* The policy, used once more; NULL when the scene has none. */
struct policy *hooks_use(void);

/* It was not taken over. */
void hooks_keep(void);

/* The hook that waits longest answers; false if none waits. */
bool hooks_answer(void);

/* Whether it was freed as often as it was used. */
bool hooks_are_free(void);

#endif
