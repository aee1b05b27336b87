/*
 * stage: the sockets, the policy and the loop of one scene, and the steps that are played on it.
 *
 * Promises that a step is over only when the loop has nothing more to do, and that a loop which the
 * kernel wakes for nothing is noticed.
 */
#include "stage.h"

#include "hooks.h"
#include "waits.h"

#include "proxy/local.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bodies of so many bytes are passed on unread, chunks of an eighth of it: those of these scenes
 * are smaller than real ones. */
#define LARGE_HERE 512
#define TURNS_MAX  50000
/* That the loop is about to sleep, and has woken: net.c watches for both. */
#define EVENTS_OF_A_TURN 2
#define SMALL            4096  /* buffer of a socket */
#define PATIENCE         500   /* microseconds */
#define LATE             20000 /* likewise */
#define LATE_LOOKS       10
#define VAIN_MAX         16 /* turns for an event of which nothing comes */
#define GENERATION       2
#define LOOKS_MAX        20000 /* of those requests that fit into what a scene says, ten each */

static struct stage stage;

/* What is the stage's own. */
static struct ev_loop *loop;
static struct proxy *proxy;
static struct settings settings;
static const struct play *now_playing;
static int listener, origin_listener, refusing, access_log;
static struct sockaddr_storage entrance;
static socklen_t entrance_len;
static size_t events; /* that the loop told of */
static bool draining;
static size_t drained;

/* ---- sockets ---- */

static void go_wrong(const char *why)
{
    if (stage.wrong == NULL)
        stage.wrong = why;
}

static void must(bool ok)
{
    if (!ok) {
        perror("the stage cannot be set");
        abort();
    }
}

static void shrink(int fd, int which)
{
    int small = SMALL;
    setsockopt(fd, SOL_SOCKET, which, &small, sizeof small);
}

/* A script's words are on the wire as soon as they are said. */
static void open_end(struct end *e, int fd, bool in_pieces, bool proxied)
{
    int on = 1;

    if (!now_playing->scene->local)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    else if (in_pieces)
        shrink(fd, SO_SNDBUF);
    end_open(e, fd, proxied);
}

/* A fuzzer's clock may interrupt it; the kernel goes on connecting. */
static bool is_connected(int fd)
{
    struct pollfd made = {fd, POLLOUT, 0};
    int error = connect(fd, (struct sockaddr *)&entrance, entrance_len) == 0 ? 0 : errno;
    socklen_t len = sizeof error;

    if (error != EINTR)
        return error == 0;
    while (poll(&made, 1, -1) < 0 && errno == EINTR)
        ;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static void open_client(void)
{
    int fd;

    if (stage.client_count == CLIENTS)
        return;
    fd = socket(entrance.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0);
    if (now_playing->scene->tight)
        shrink(fd, SO_RCVBUF);
    must(is_connected(fd));
    open_end(&stage.clients[stage.client_count++], fd, true, false);
}

static void accept_origin(void)
{
    int fd = accept4(origin_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0 && stage.origin_count < ORIGINS) {
        open_end(&stage.origins[stage.origin_count++], fd, !now_playing->scene->gush,
                 now_playing->scene->proxies != 0);
    } else if (fd >= 0) {
        stage.crowded = true;
        close(fd);
    }
}

/* ---- turns of the loop ---- */

static void count_events(struct ev_loop *l)
{
    events += ev_pending_count(l);
    ev_invoke_pending(l);
}

/* The i-th of all ends. */
static struct end *end_at(size_t i)
{
    return i < stage.client_count ? &stage.clients[i] : &stage.origins[i - stage.client_count];
}

static void turn(void)
{
    struct pollfd wishes[1 + CLIENTS + ORIGINS];
    size_t count = stage.client_count + stage.origin_count;

    ev_run(loop, EVRUN_NOWAIT);
    wishes[0] = (struct pollfd){origin_listener, POLLIN, 0};
    for (size_t i = 0; i < count; i++)
        wishes[i + 1] = end_wish(end_at(i));
    if (poll(wishes, (nfds_t)count + 1, 0) <= 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (wishes[i + 1].revents != 0)
            end_turn(end_at(i));
    if (wishes[0].revents != 0)
        accept_origin();
}

/* Moves whenever anybody does anything. */
static size_t progress(void)
{
    return faults_calls() + end_moves();
}

/* Until nothing more happens: no event, no call, no byte, no connection. */
static void settle(void)
{
    size_t idle = 0, vain = 0, enough = now_playing->patient ? 2 : 1;

    for (size_t turns = 0; idle < enough; turns++) {
        size_t done = progress(), told = events;
        if (idle == 1)
            usleep(PATIENCE);
        turn();
        done = progress() - done;
        told = events - told - EVENTS_OF_A_TURN;
        idle = done == 0 && told == 0 ? idle + 1 : 0;
        vain = done == 0 && told > 0 ? vain + 1 : 0;
        if (vain == VAIN_MAX)
            go_wrong("the loop is woken for nothing, again and again");
        if (vain == VAIN_MAX || turns == TURNS_MAX) {
            go_wrong("it does not come to rest");
            return;
        }
    }
}

/* ---- steps ---- */

/* The connection that waits for an answer, or the latest. */
static struct end *the_origin(void)
{
    struct end *latest = NULL;
    char target;

    for (size_t i = stage.origin_count; i-- > 0;) {
        struct end *e = &stage.origins[i];
        if (e->fd < 0)
            continue;
        if (e->switched || end_requests(e, &target) > e->answers)
            return e;
        if (latest == NULL)
            latest = e;
    }
    return latest;
}

static void on_drained(void *arg)
{
    (void)arg;
    drained++;
}

static void drain(void)
{
    if (!draining)
        proxy_drain(proxy, on_drained, NULL);
    draining = true;
}

static bool use_policy(uint64_t generation)
{
    bool taken = proxy_use(proxy, &settings, hooks_use(), generation, NULL, NULL);

    if (!taken)
        hooks_keep();
    return taken;
}

static void take_as_client(struct end *client, const struct step *step)
{
    switch (step->act) {
    case CLIENT_TUNNELS:
        if (memmem(client->heard.bytes, client->heard.len, "HTTP/1.1 101", 12) == NULL)
            break;
        end_say(client, step->bytes);
        break;
    case CLIENT_SENDS:
        end_say(client, step->bytes);
        break;
    case CLIENT_ENDS:
        end_finish(client);
        break;
    case CLIENT_LEAVES:
        end_drop(client, false);
        break;
    case CLIENT_RESETS:
        end_drop(client, true);
        break;
    case CLIENT_PAUSES:
        client->paused = true;
        break;
    default:
        client->paused = false;
        break;
    }
}

static void take_as_origin(struct end *origin, const struct step *step)
{
    if (origin == NULL)
        return;
    switch (step->act) {
    case ORIGIN_SENDS:
        end_answer(origin, step->bytes);
        break;
    case ORIGIN_ENDS:
        end_finish(origin);
        break;
    case ORIGIN_LEAVES:
        end_drop(origin, false);
        break;
    case ORIGIN_RESETS:
        end_drop(origin, true);
        break;
    case ORIGIN_PAUSES:
        origin->paused = true;
        break;
    default:
        origin->paused = false;
        break;
    }
}

static void take(const struct step *step)
{
    struct end *client = &stage.clients[stage.client_count - 1];

    switch (step->act) {
    case NO_ACT:
    case ACT_COUNT:
        break;
    case ANOTHER_CLIENT:
        open_client();
        break;
    case BOTH_RESET:
        end_drop(client, true);
        if (the_origin() != NULL)
            end_drop(the_origin(), true);
        break;
    case HOOK_ANSWERS:
        (void)hooks_answer();
        break;
    case TIME_PASSES:
        faults_pass(step->number);
        break;
    case ONE_TURN:
        turn();
        break;
    case RELOADS:
        (void)use_policy(GENERATION);
        break;
    case DRAINS:
        drain();
        break;
    case ORIGIN_SENDS:
    case ORIGIN_ENDS:
    case ORIGIN_LEAVES:
    case ORIGIN_RESETS:
    case ORIGIN_PAUSES:
    case ORIGIN_READS:
        take_as_origin(the_origin(), step);
        break;
    default:
        take_as_client(client, step);
        break;
    }
}

/* ---- a scene ---- */

static void apply(const struct scene *scene)
{
    settings.timeouts.continue_ = scene->own_continue;
    settings.proxy_protocol = scene->proxied;
    if (scene->requests > 0)
        settings.limits.requests = scene->requests;
    if (scene->clients > 0)
        settings.limits.connections = scene->clients;
    if (scene->unpooled)
        settings.limits.upstream_idle = 0;
    if (scene->buffered > 0)
        settings.limits.buffered = scene->buffered;
}

static bool has_waiting_hook(const struct scene *scene)
{
    for (size_t i = 0; i < HOOK_COUNT; i++)
        if (scene->hooks[i].when == WAITS)
            return true;
    return false;
}

/* Whether anything happens that the loop had no turn to see before the next. */
static bool is_hasty(const struct scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->steps[i].at_once)
            return true;
    return false;
}

static void set_up(const struct scene *scene)
{
    char text[128], why[128];

    stage.wrong = NULL;
    memset(&stage.stats, 0, sizeof stage.stats);
    stage.client_count = stage.origin_count = 0;
    stage.resets_show = !scene->local;
    stage.blind = now_playing->faults.io != FAULT_IO_WHOLE || now_playing->faults.at > 0 ||
                  now_playing->hurried || is_hasty(scene);
    stage.crowded = false;
    stage.proxied = scene->proxied && !scene->local; /* only who is trusted may */
    stage.hooks_wait = has_waiting_hook(scene);
    stage.early = scene->early;
    stage.calls_before = 0;
    hooks_begin(scene);
    draining = false;
    drained = 0;
    refusing = -1;
    entrance_len = sizeof entrance;
    loop = ev_loop_new(EVFLAG_AUTO);
    ev_set_invoke_pending_cb(loop, count_events);
    settings_default(&settings);
    apply(scene);
    if (scene->proxied) {
        settings.trusted_count = 1;
        must(addr_net_parse(SLICE("127.0.0.0/8"), &settings.trusted[0], why, sizeof why));
    }
    settings.upstream = settings_add_upstream(&settings, SLICE("app"), why, sizeof why);
    if (scene->refused_first) {
        refusing = end_listen(false, 0, "", text, sizeof text);
        must(settings_add_address(&settings, slice_of_string(text), why, sizeof why));
    }
    listener = end_listen(scene->local, 64, "in", text, sizeof text);
    must(getsockname(listener, (struct sockaddr *)&entrance, &entrance_len) == 0);
    origin_listener = end_listen(scene->local, 64, "out", text, sizeof text);
    must(settings_add_address(&settings, slice_of_string(text), why, sizeof why));
    settings.upstreams[0].proxy_protocol = (enum proxy_version)(scene->proxies % 3);
}

static bool start_worker(void)
{
    proxy = proxy_new(loop, &stage.stats, access_log, 1);
    if (proxy != NULL)
        proxy->net.pass_least = LARGE_HERE;
    return proxy != NULL && use_policy(1) && proxy_listen(proxy, listener);
}

static bool is_at_rest(void)
{
    const struct stats *n = &stage.stats;
    return n->open == 0 && n->active == 0 && n->upstream_open == 0 && n->tunnels == 0;
}

/* What any end may see of it, or a client that was let in late. */
static uint64_t seen(void)
{
    return end_moves() + stage.stats.accepted;
}

/* On a busy machine what ended may be heard of late. */
static const char *overdue(double quiet)
{
    const char *wrong = waits_overdue(&stage, quiet);

    for (int i = 0; wrong != NULL && now_playing->patient && i < LATE_LOOKS; i++) {
        usleep(LATE);
        settle();
        wrong = waits_overdue(&stage, quiet);
    }
    return wrong;
}

/* Until every deadline that there is has passed; each of the requests that wait behind one another
 * has its own. */
static void let_time_pass(void)
{
    double quiet = 0;

    for (size_t i = 0; i < LOOKS_MAX && (quiet < WAITS_LONG || !is_at_rest()); i++) {
        if (stage.wrong != NULL)
            return;
        double step = waits_next_look(quiet) - quiet;
        uint64_t before = seen();
        const char *wrong;
        faults_pass(step);
        settle();
        quiet = seen() == before ? quiet + step : 0;
        wrong = overdue(quiet);
        if (wrong != NULL)
            go_wrong(wrong);
    }
    faults_pass(3601);
    settle();
}

static void hang_up(bool reset)
{
    for (size_t i = 0; i < stage.client_count + stage.origin_count; i++)
        end_drop(end_at(i), reset);
}

static void come_to_rest(enum ending ending)
{
    if (ending == ENDING_FREE)
        return;
    if (ending == ENDING_HANGUP)
        hang_up(false);
    settle();
    let_time_pass();
    if (!is_at_rest())
        go_wrong("connections outlive every deadline");
    if (drained != draining)
        go_wrong("a drain that does not end, or twice");
}

static void play_steps(const struct play *play)
{
    const struct scene *scene = play->scene;
    const struct step interruption = {.act = play->interruption, .number = 61};

    for (size_t i = 0; i <= scene->count; i++) {
        if (i == play->after) {
            stage.calls_before = faults_calls();
            take(&interruption);
            if (!play->hurried)
                settle();
        }
        if (i == scene->count)
            break;
        take(&scene->steps[i]);
        if (i + 1 == scene->count || !scene->steps[i + 1].at_once)
            settle();
    }
    settle();
}

static void count_log_lines(void)
{
    char piece[4096];
    ssize_t n;

    stage.log_lines = 0;
    must(lseek(access_log, 0, SEEK_SET) == 0);
    while ((n = read(access_log, piece, sizeof piece)) > 0)
        for (ssize_t i = 0; i < n; i++)
            stage.log_lines += piece[i] == '\n';
    must(ftruncate(access_log, 0) == 0 && lseek(access_log, 0, SEEK_SET) == 0);
}

static void tear_down(void)
{
    if (proxy != NULL)
        proxy_free(proxy);
    /* What the worker said last is heard before the ends go. */
    for (size_t i = 0; i < stage.client_count; i++)
        end_turn(&stage.clients[i]);
    hang_up(true);
    close(listener);
    close(origin_listener);
    if (refusing >= 0)
        close(refusing);
    ev_loop_destroy(loop);
    if (!hooks_are_free())
        go_wrong("a policy was not freed as often as it was used");
}

struct play stage_as_said(const struct scene *scene)
{
    return (struct play){
        .scene = scene,
        .faults = scene_faults(scene),
        .after = STEPS_MAX + 1,
        .ending = (enum ending)(scene->ending % ENDING_COUNT),
    };
}

const struct stage *stage_play(const struct play *play)
{
    struct fault_plan plan = play->faults;

    now_playing = play;
    if (access_log == 0)
        access_log = memfd_create("access", MFD_CLOEXEC);
    plan.small = play->scene->local || play->scene->tight;
    faults_begin(&plan);
    set_up(play->scene);
    if (start_worker()) {
        open_client();
        play_steps(play);
        come_to_rest(play->ending);
    }
    tear_down();
    stage.calls = faults_calls();
    count_log_lines();
    return &stage;
}
