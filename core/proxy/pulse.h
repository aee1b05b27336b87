/*
 * pulse: what a worker shows of itself while it runs, in memory that its parent reads: whether its
 * loop turns, and which hook of which request it is in.
 *
 * The worker stores a few words and is never asked, so a sleeping one is not woken. The parent
 * cannot mistake it for one that stands still: before it sleeps, a loop says so.
 *
 * A process has one pulse: before pulse_start, and in tools, one that nobody reads.
 */
#ifndef INTERIM_PROXY_PULSE_H
#define INTERIM_PROXY_PULSE_H

#include "proxy/stats.h"

struct ev_loop;

struct pulse {
    _Atomic uint32_t beat;    /* moves with the loop, each event and each hook; odd: not asleep */
    _Atomic unsigned doing;   /* 0: nothing to name; PULSE_LOADING; else 1 + enum policy_hook */
    _Atomic uint64_t request; /* of the hook: policy_view.id */
};

#define PULSE_LOADING (HOOK_COUNT + 1u) /* a policy: it has its own, longer limit */

/* From here on `shared` is written to. For as long as the loop runs. */
void pulse_start(struct pulse *shared, struct ev_loop *loop);

/* From here on each stretch of a hook is timed: hooks[HOOK_COUNT], or NULL for none. It costs two
 * looks at the clock a stretch. */
void pulse_time_hooks(struct hook_stats *hooks);

/* Around every stretch in which a hook runs; they do not nest. */
void pulse_enter_hook(enum policy_hook hook, uint64_t request);
void pulse_leave(void);

/* Behind each event, and in a long stretch of work without: it goes on. */
void pulse_beat(void);

void pulse_enter_loading(void); /* until pulse_leave */

#endif
