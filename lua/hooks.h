/*
 * hooks: the policy's hooks as the core asks them: core/proxy/policy.h's table.
 */
#ifndef INTERIM_LUA_HOOKS_H
#define INTERIM_LUA_HOOKS_H

#include "task.h"

extern const struct policy_ops hooks_ops;

/* What a task waited for has happened: goes on with it, and tells the exchange when it is done. */
void hooks_resume(struct task *t);

#endif
