/*
 * crew: forks workers and replaces those that die. Owns their processes, their control sockets and
 * the counters they share with the parent. Promises that a worker which dies at once again and
 * again costs next to nothing, and that what a dead worker had open is settled in its counters.
 */
#include "process/crew.h"

#include "base/sys.h"
#include "process/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define CREW_BACKOFF_FIRST 0.1
#define CREW_BACKOFF_MAX   5.0
#define CREW_HEALTHY       10.0 /* seconds of life after which a death is the first one again */
#define CREW_STOP_SECONDS  2.0  /* from STOP to SIGKILL */
#define CREW_GRACE         2.0  /* beyond the drain time */

/* What a dead worker had open was closed by the kernel: its clients saw their exchanges cut off. */
static void settle(struct stats *s)
{
    s->closed += s->open;
    s->aborted += s->active;
    s->open = s->active = s->tunnels = s->upstream_open = s->generations = 0;
}

static double backoff(unsigned failures)
{
    double seconds = CREW_BACKOFF_FIRST;
    if (failures <= 1)
        return 0;
    for (unsigned i = 2; i < failures && seconds < CREW_BACKOFF_MAX; i++)
        seconds *= 2;
    return seconds < CREW_BACKOFF_MAX ? seconds : CREW_BACKOFF_MAX;
}

static void set_timer(struct crew_worker *worker, double seconds)
{
    struct ev_loop *loop = worker->crew->loop;
    ev_timer_stop(loop, &worker->timer);
    ev_timer_set(&worker->timer, seconds, 0);
    ev_timer_start(loop, &worker->timer);
}

static void close_control(struct crew_worker *worker)
{
    ev_io_stop(worker->crew->loop, &worker->io);
    if (worker->control >= 0)
        sys_close(worker->control);
    worker->control = -1;
}

static void check_ready(struct crew *crew)
{
    if (crew->started || crew->ending)
        return;
    for (unsigned i = 0; i < crew->size; i++) {
        if (crew->workers[i].state != CREW_WORKING)
            return;
    }
    crew->started = true;
    crew->events->ready(crew->arg);
}

static void hear(struct crew_worker *worker, const struct control_message *message)
{
    struct crew *crew = worker->crew;
    if (worker->state == CREW_STARTING && message->kind == CONTROL_READY) {
        worker->state = CREW_WORKING;
        ev_timer_stop(crew->loop, &worker->timer);
        log_debug("worker %u (pid %d) is ready", worker->number, (int)worker->pid);
        check_ready(crew);
    } else if (worker->state == CREW_STARTING && message->kind == CONTROL_FAILED) {
        snprintf(worker->why, sizeof worker->why, "%.500s", message->text);
    } else if (worker->state == CREW_WORKING || message->kind == CONTROL_LISTED) {
        crew->events->answer(crew->arg, worker, message);
    }
}

static void read_control(struct crew_worker *worker)
{
    struct control_message message;
    pid_t pid = worker->pid;
    /* What is heard may lead to its end. */
    while (worker->pid == pid && worker->control >= 0) {
        switch (control_receive(worker->control, &message)) {
        case CONTROL_GOT:
            control_drop_fds(&message);
            hear(worker, &message);
            break;
        case CONTROL_NOTHING:
            return;
        case CONTROL_GONE:
            /* It is about to die, or should be. */
            close_control(worker);
            crew_kill(worker);
            return;
        }
    }
}

static void on_control(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)loop;
    (void)events;
    read_control(io->data);
}

static void check_empty(struct crew *crew)
{
    for (unsigned i = 0; i < CREW_MAX; i++) {
        if (crew->workers[i].state != CREW_EMPTY)
            return;
    }
    crew->events->empty(crew->arg);
}

/* `ending` is NULL for one that was sent away while it was not wanted. */
static void replace(struct crew_worker *worker, const char *ending)
{
    struct crew *crew = worker->crew;
    bool healthy = ending == NULL || ev_now(crew->loop) - worker->forked > CREW_HEALTHY;
    worker->failures = healthy ? 1 : worker->failures + 1;
    double pause = backoff(worker->failures);
    worker->state = CREW_WAITING;
    crew->deaths += ending != NULL;
    if (ending != NULL)
        log_error("worker %u (pid %d) %s%s%s; starting another %s", worker->number,
                  (int)worker->pid, ending, worker->why[0] != '\0' ? ": " : "", worker->why,
                  pause > 0 ? "after a pause" : "now");
    /* Even without a pause by way of the loop, so that nobody is forked while others are told. */
    set_timer(worker, pause);
}

static void on_end(struct ev_loop *loop, struct ev_child *child, int events)
{
    struct crew_worker *worker = child->data;
    struct crew *crew = worker->crew;
    char ending[CHILD_ENDING_MAX];
    (void)events;
    worker->stopped = WIFSTOPPED(child->rstatus);
    if (worker->stopped || WIFCONTINUED(child->rstatus))
        return;
    ev_child_stop(loop, child);
    /* Its last words may still wait. */
    read_control(worker);
    enum crew_state was = worker->state;
    ev_timer_stop(loop, &worker->timer);
    close_control(worker);
    settle(&crew->slots[worker->number - 1].stats);
    child_ending(child->rstatus, ending);
    worker->state = CREW_EMPTY;
    if (was == CREW_LEAVING && child->rstatus != 0)
        log_error("worker %u (pid %d) %s before it had finished; it is not replaced",
                  worker->number, (int)child->rpid, ending);
    if (crew->ending) {
        check_empty(crew);
    } else if (!crew->started) {
        char why[CHILD_ENDING_MAX + sizeof worker->why + 64];
        if (worker->why[0] != '\0')
            snprintf(why, sizeof why, "worker %u: %s", worker->number, worker->why);
        else
            snprintf(why, sizeof why, "worker %u %s", worker->number, ending);
        crew->events->failed(crew->arg, why);
    } else {
        if (worker->number <= crew->size)
            replace(worker, was == CREW_LEAVING ? NULL : ending);
        crew->events->died(crew->arg, worker);
    }
}

static void run_child(struct crew_worker *worker, int control)
{
    const struct crew *crew = worker->crew;
    const struct crew_generation *current = crew->current;
    struct worker_start start = {
        .number = worker->number,
        .generation = current->number,
        .config = current->config,
        .ports = current->ports,
        .control = control,
        .stats = &crew->slots[worker->number - 1].stats,
        .pulse = &crew->slots[worker->number - 1].pulse,
        .listing = &crew->slots[worker->number - 1].listing,
        .log_level = crew->log_level,
    };
    worker_run(&start);
}

/* With its own slot: one that is taken over must not speak for the others. */
static pid_t fork_with_slot(const struct crew_worker *worker, const int *keep, size_t count)
{
    struct crew_slot *slot = &worker->crew->slots[worker->number - 1];
    child_inherits(slot, sizeof *slot);
    return child_fork(keep, count);
}

/* The end of `pair` that it returns is the parent's; -1 when there are no resources. */
static int fork_worker(struct crew_worker *worker)
{
    int pair[2], keep[CONTROL_FDS_MAX + 1];
    size_t count = 0;
    const struct ports *ports = &worker->crew->current->ports;
    if (!control_pair(pair))
        return -1;
    keep[count++] = pair[1];
    keep[count++] = worker->crew->current->config.fd;
    for (size_t i = 0; i < ports->count; i++)
        keep[count++] = ports->port[i].fd;
    worker->pid = fork_with_slot(worker, keep, count);
    if (worker->pid == 0)
        run_child(worker, pair[1]);
    sys_close(pair[1]);
    if (worker->pid > 0)
        return pair[0];
    sys_close(pair[0]);
    return -1;
}

static void spawn(struct crew_worker *worker)
{
    struct crew *crew = worker->crew;
    assert(worker->state == CREW_EMPTY || worker->state == CREW_WAITING);
    worker->why[0] = '\0';
    worker->asked = worker->stopped = false;
    worker->control = fork_worker(worker);
    worker->forked = ev_now(crew->loop);
    if (worker->number > crew->used)
        crew->used = worker->number;
    if (worker->control < 0) {
        char why[128];
        snprintf(why, sizeof why, "cannot fork worker %u: %s", worker->number, strerror(errno));
        worker->state = crew->started ? CREW_WAITING : CREW_EMPTY;
        if (!crew->started) {
            crew->events->failed(crew->arg, why);
            return;
        }
        log_error("%s; trying again after a pause", why);
        set_timer(worker, CREW_BACKOFF_MAX);
        return;
    }
    worker->state = CREW_STARTING;
    ev_io_set(&worker->io, worker->control, EV_READ);
    ev_io_start(crew->loop, &worker->io);
    ev_child_set(&worker->child, worker->pid, 1); /* 1: tells of stops, too */
    ev_child_start(crew->loop, &worker->child);
    set_timer(worker, CREW_START_SECONDS);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct crew_worker *worker = timer->data;
    (void)loop;
    (void)events;
    if (worker->state == CREW_WAITING) {
        if (!worker->crew->holding)
            spawn(worker);
        return;
    }
    log_error("worker %u (pid %d) is not %s in time; killing it", worker->number, (int)worker->pid,
              worker->state == CREW_LEAVING ? "gone" : "ready");
    kill(worker->pid, SIGKILL);
}

static void send_away(struct crew_worker *worker, const struct control_message *message,
                      double seconds)
{
    if (worker->state == CREW_WAITING) {
        ev_timer_stop(worker->crew->loop, &worker->timer);
        worker->state = CREW_EMPTY;
    }
    if (worker->state == CREW_EMPTY)
        return;
    crew_tell(worker, message);
    worker->state = CREW_LEAVING;
    set_timer(worker, seconds);
}

static void send_all_away(struct crew *crew, const struct control_message *message, double seconds)
{
    crew->ending = true;
    for (unsigned i = 0; i < CREW_MAX; i++)
        send_away(&crew->workers[i], message, seconds);
    check_empty(crew);
}

bool crew_open_ports(struct crew_generation *g, const struct ports *old, const struct ports *admin,
                     char *why, size_t why_size)
{
    const struct settings *settings = config_settings(&g->config);
    if (!ports_open(&g->ports, settings, old, why, why_size))
        return false;
    if (ports_open_admin(&g->admin, settings, admin, why, why_size))
        return true;
    ports_close_except(&g->ports, old);
    return false;
}

bool crew_init(struct crew *crew, struct ev_loop *loop, const struct crew_generation *current,
               enum log_level log_level, const struct crew_events *events, void *arg)
{
    void *slots = child_shared(CREW_MAX * sizeof(struct crew_slot));
    if (slots == NULL)
        return false;
    memset(crew, 0, sizeof *crew);
    crew->loop = loop;
    crew->current = current;
    crew->log_level = log_level;
    crew->events = events;
    crew->arg = arg;
    crew->slots = slots;
    for (unsigned i = 0; i < CREW_MAX; i++) {
        struct crew_worker *worker = &crew->workers[i];
        worker->crew = crew;
        worker->number = i + 1;
        worker->control = -1;
        ev_init(&worker->io, on_control);
        ev_init(&worker->child, on_end);
        ev_init(&worker->timer, on_timer);
        worker->io.data = worker->child.data = worker->timer.data = worker;
    }
    return true;
}

void crew_resize(struct crew *crew, unsigned size)
{
    double seconds = config_settings(&crew->current->config)->drain;
    struct control_message drain = {.kind = CONTROL_DRAIN, .seconds = seconds};
    assert(size >= 1 && size <= CREW_MAX);
    crew->size = size;
    for (unsigned i = 0; i < CREW_MAX && !crew->ending; i++) {
        struct crew_worker *worker = &crew->workers[i];
        if (i < size && worker->state == CREW_EMPTY)
            spawn(worker);
        else if (i >= size && worker->state != CREW_LEAVING)
            send_away(worker, &drain, seconds + CREW_GRACE);
    }
}

void crew_hold(struct crew *crew)
{
    crew->holding = true;
}

void crew_release(struct crew *crew)
{
    crew->holding = false;
    for (unsigned i = 0; i < crew->size; i++) {
        struct crew_worker *worker = &crew->workers[i];
        if (worker->state == CREW_WAITING && !ev_is_active(&worker->timer))
            spawn(worker);
    }
}

void crew_tell(struct crew_worker *worker, const struct control_message *message)
{
    if (worker->control >= 0 && !control_send(worker->control, message))
        crew_kill(worker);
}

void crew_kill(struct crew_worker *worker)
{
    /* Once its end was seen, the id may be another's. */
    if (ev_is_active(&worker->child))
        kill(worker->pid, SIGKILL);
}

bool crew_has(const struct crew_worker *worker)
{
    return worker->state == CREW_STARTING || worker->state == CREW_WORKING;
}

void crew_drain(struct crew *crew, double seconds)
{
    struct control_message drain = {.kind = CONTROL_DRAIN, .seconds = seconds};
    send_all_away(crew, &drain, seconds + CREW_GRACE);
}

void crew_stop(struct crew *crew)
{
    struct control_message stop = {.kind = CONTROL_STOP};
    send_all_away(crew, &stop, CREW_STOP_SECONDS);
}

unsigned crew_count(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CREW_MAX; i++)
        count += crew_has(&crew->workers[i]);
    return count;
}

void crew_sum(const struct crew *crew, struct stats *sum)
{
    memset(sum, 0, sizeof *sum);
    /* Reading would give memory to the slots of workers that never were. */
    for (unsigned i = 0; i < crew->used; i++)
        stats_add(sum, &crew->slots[i].stats);
}
