/*
 * engine: where policies come from. The core knows this table and not what stands behind it; which
 * engine a program has is decided when it is linked (lua/engine.c in the shipped one).
 *
 * A policy is loaded twice: once in the loader process, which reads files, fills the settings and
 * gathers every source it read into a bundle; then in each worker, from the bundle alone, without
 * touching the file system. Both run the same code under the same caps.
 */
#ifndef INTERIM_PROXY_ENGINE_H
#define INTERIM_PROXY_ENGINE_H

#include "base/buf.h"
#include "proxy/policy.h"

struct ev_loop;

struct policy_engine {
    /*
     * Reads and checks a policy file with everything it requires. *settings comes in with the
     * defaults; on success it holds what the file says and the sources are appended to *bundle, in
     * a form that `load` reads. On failure returns false with one message per line in *errors, each
     * "file:line: what.is.wrong: why" (":line" only where it is known).
     */
    bool (*read)(const char *path, struct settings *settings, struct buf *bundle,
                 struct buf *errors);
    /*
     * Makes a policy from a bundle. `settings` and `loop` must outlive it; the bundle need not.
     * NULL with a message in *errors.
     */
    struct policy *(*load)(struct slice bundle, const struct settings *settings,
                           struct ev_loop *loop, struct buf *errors);
    /*
     * The tools that know the language of policies: `interim try`, `interim test` and
     * `interim types`. Each is given the words behind its name, prints what there is to say and
     * returns the exit status: 0, 1, or 2 when the words make no sense.
     */
    int (*try)(int argc, char *const argv[]);
    int (*test)(int argc, char *const argv[]);
    int (*types)(int argc, char *const argv[]);
};

extern const struct policy_engine policy_engine;

#endif
