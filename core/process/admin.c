/*
 * admin: forks and replaces the process behind the admin listener. Promises that whatever becomes
 * of it, the parent and the workers go on as if there were none.
 */
#include "process/admin.h"

#include "base/log.h"
#include "base/sys.h"
#include "process/admin_server.h"
#include "process/child.h"

#include <errno.h>
#include <string.h>

#define PAUSE_FIRST 0.1 /* seconds; doubled for each death in a row */
#define PAUSE_MAX   5.0
#define HEALTHY     10.0 /* seconds of life after which a death is the first one again */

static struct ev_loop *loop_of(const struct admin *a)
{
    return a->crew->loop;
}

static const struct ports *port_of(const struct admin *a)
{
    return &a->crew->current->admin;
}

static void on_prepare(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
    struct admin *a = prepare->data;
    (void)loop;
    (void)events;
    board_post(a->board, a->crew, a->reload);
}

/* It sees the end of its control socket and leaves by itself; libev reaps it. */
static void let_go(struct admin *a)
{
    ev_io_stop(loop_of(a), &a->io);
    ev_child_stop(loop_of(a), &a->child);
    ev_timer_stop(loop_of(a), &a->pause);
    if (a->control >= 0)
        sys_close(a->control);
    a->control = -1;
    a->pid = 0;
}

static void fork_again(struct admin *a)
{
    double pause = PAUSE_FIRST;
    for (unsigned i = 1; i < a->failures && pause < PAUSE_MAX; i++)
        pause *= 2;
    ev_timer_set(&a->pause, pause, 0);
    ev_timer_start(loop_of(a), &a->pause);
}

static void on_end(struct ev_loop *loop, struct ev_child *child, int events)
{
    struct admin *a = child->data;
    char ending[CHILD_ENDING_MAX];
    (void)events;
    log_error("the admin process (pid %d) %s; starting another", (int)a->pid,
              child_ending(child->rstatus, ending));
    a->failures = ev_now(loop) - a->forked > HEALTHY ? 1 : a->failures + 1;
    let_go(a);
    fork_again(a);
}

/* To the workers; then it is told how many were. Those whose socket is full stand still anyhow. It
 * asks no oftener than this by itself: one that was taken over must not keep them from their work.
 */
static void pass_on(struct admin *a, uint32_t serial)
{
    struct control_message list = {.kind = CONTROL_LIST, .serial = serial};
    uint32_t count = 0;
    double now = sys_monotonic();
    if (now - a->asked < ADMIN_LISTING_PAUSE / 2)
        return;
    a->asked = now;
    for (unsigned i = 0; i < a->crew->used; i++) {
        const struct crew_worker *worker = &a->crew->workers[i];
        if (worker->state == CREW_WORKING || worker->state == CREW_LEAVING)
            count += worker->control >= 0 && control_send(worker->control, &list);
    }
    list.count = count;
    (void)!control_send(a->control, &list);
}

void admin_listed(struct admin *a, const struct control_message *message)
{
    const struct control_message listed = {.kind = CONTROL_LISTED, .serial = message->serial};
    if (a->control >= 0)
        (void)!control_send(a->control, &listed);
}

static void on_control(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct control_message message;
    (void)events;
    switch (control_receive(io->fd, &message)) {
    case CONTROL_GOT:
        control_drop_fds(&message);
        if (message.kind == CONTROL_LIST)
            pass_on(io->data, message.serial);
        break;
    case CONTROL_NOTHING:
        break;
    case CONTROL_GONE:
        ev_io_stop(loop, io);
    }
}

static _Noreturn void run_child(const struct admin *a, int control)
{
    const struct crew_generation *current = a->crew->current;
    const struct admin_start start = {
        .settings = config_settings(&current->config),
        .listener = port_of(a)->port[0].fd,
        .control = control,
        .board = a->board,
        .slots = a->crew->slots,
        .log_level = a->crew->log_level,
    };
    admin_server_run(&start);
}

/* False with errno. */
static bool fork_child(struct admin *a)
{
    int pair[2];
    if (!control_pair(pair))
        return false;
    const int keep[] = {pair[1], port_of(a)->port[0].fd};
    child_inherits(a->board, sizeof *a->board);
    child_inherits(a->crew->slots, CREW_MAX * sizeof *a->crew->slots);
    a->pid = child_fork(keep, sizeof keep / sizeof *keep);
    if (a->pid == 0)
        run_child(a, pair[1]);
    sys_close(pair[1]);
    a->control = pair[0];
    return a->pid > 0;
}

static void spawn(struct admin *a)
{
    a->forked = ev_now(loop_of(a));
    if (!fork_child(a)) {
        log_error("cannot fork the admin process: %s; trying again", strerror(errno));
        a->failures++;
        let_go(a);
        fork_again(a);
        return;
    }
    ev_io_set(&a->io, a->control, EV_READ);
    ev_io_start(loop_of(a), &a->io);
    ev_child_set(&a->child, a->pid, 0);
    ev_child_start(loop_of(a), &a->child);
}

static void on_pause_over(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    spawn(timer->data);
}

bool admin_init(struct admin *a, struct crew *crew, const struct reload *reload)
{
    void *board = child_shared(sizeof *a->board);
    *a = (struct admin){.crew = crew, .reload = reload, .control = -1};
    if (board == NULL)
        return false;
    a->board = board;
    a->board->started = sys_realtime();
    ev_init(&a->io, on_control);
    ev_init(&a->child, on_end);
    ev_init(&a->pause, on_pause_over);
    ev_prepare_init(&a->post, on_prepare);
    a->io.data = a->child.data = a->pause.data = a->post.data = a;
    ev_prepare_start(crew->loop, &a->post);
    return true;
}

void admin_start(struct admin *a)
{
    let_go(a);
    a->failures = 0;
    if (port_of(a)->count == 0)
        return;
    board_post(a->board, a->crew, a->reload);
    spawn(a);
}

void admin_tell(const struct admin *a, struct desk_visitor *visitor)
{
    char text[ADDR_TEXT_MAX];
    if (port_of(a)->count > 0)
        desk_tell(visitor, true, addr_text(&port_of(a)->port[0].bound, text));
    else
        desk_tell(visitor, false,
                  "it has no admin listener; write admin = \"127.0.0.1:9901\" in its policy and "
                  "reload");
}

void admin_stop(struct admin *a)
{
    if (a->board == NULL)
        return;
    let_go(a);
    ev_prepare_stop(loop_of(a), &a->post);
}
