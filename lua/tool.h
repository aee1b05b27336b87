/*
 * tool: a Lua state of its own for an offline command, which lua/interim/ writes most of. It has
 * what a policy has, and the module "interim.tool": the terminal, and trials of policies.
 */
#ifndef INTERIM_LUA_TOOL_H
#define INTERIM_LUA_TOOL_H

#include "engine.h"

struct tool {
    struct engine *e; /* NULL: not open */
    struct bundle bundle;
    struct buf sources;
};

/* `script` is a file that tool.run_script will run and beside which modules are looked for; NULL:
 * none. False with a message; close it anyhow. */
bool tool_open(struct tool *t, const char *script, char *why, size_t why_size);
void tool_close(struct tool *t);

/* Requires an embedded module, a function, and calls it with what `push` pushes (it returns how
 * many values). Its `count` results, whole numbers, go to `results`. False, having complained on
 * stderr, if it raised an error. */
bool tool_call(struct tool *t, const char *module, int (*push)(lua_State *L, void *data),
               void *data, int *results, int count);

/* Pushes a new trial of the policy file at this path, which may use what `allow` (bits of
 * settings_allow_bit) adds, and a list of what the file logged; or raises why it cannot be loaded.
 */
int trial_push(lua_State *L, const char *path, unsigned allow);

#endif
