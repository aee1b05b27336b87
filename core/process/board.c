/*
 * board: copies facts from where they are to where they can be read.
 */
#include "process/board.h"

const char *board_state_name(enum board_state state)
{
    static const char *const names[] = {
        [BOARD_STARTING] = "starting", [BOARD_READY] = "ready", [BOARD_DRAINING] = "draining"};
    return names[state];
}

const char *board_last_reload(const struct board *b)
{
    if (b->last_reload <= 0)
        return "none";
    return b->last_reload_ok ? "ok" : "failed";
}

const char *board_worker_state(const struct board_worker *w)
{
    static const char *const names[] = {[CREW_EMPTY] = "empty",
                                        [CREW_WAITING] = "waiting",
                                        [CREW_STARTING] = "starting",
                                        [CREW_WORKING] = "working",
                                        [CREW_LEAVING] = "leaving"};
    return names[w->state];
}

unsigned board_working(const struct board *b)
{
    unsigned count = 0;
    for (unsigned i = 0; i < b->used; i++)
        count += b->workers[i].state == CREW_WORKING;
    return count;
}

static enum board_state state_of(const struct crew *crew)
{
    if (crew->ending)
        return BOARD_DRAINING;
    return crew->started ? BOARD_READY : BOARD_STARTING;
}

void board_post(struct board *b, const struct crew *crew, const struct reload *reload)
{
    b->state = state_of(crew);
    b->generation = crew->current->number;
    b->reloads_ok = reload->succeeded;
    b->reloads_failed = reload->failed;
    b->last_reload_ok = reload->last_ok;
    b->last_reload = reload->last_end;
    b->wanted = crew->size;
    b->deaths = crew->deaths;
    for (unsigned i = 0; i < crew->used; i++) {
        const struct crew_worker *worker = &crew->workers[i];
        b->workers[i] = (struct board_worker){
            .state = worker->state, .pid = worker->pid, .forked = worker->forked};
    }
    b->used = crew->used;
}
