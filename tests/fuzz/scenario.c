/*
 * fuzz scenario: a scene, as in tests/fault/scene.h: both ends of the wire, policy, faults,
 * schedule.
 *
 * Must hold, whatever both ends send, in whatever order things happen and whatever call fails:
 * all that tests/fault/oracle.h lists. It owes nothing to the code under test. What goes wrong is
 * played again with patience: on a busy machine a byte may come late, and be another story.
 *
 * The input is text, and lines that mean nothing are passed over; scenario_mutate.c changes it line
 * by line. What breaks something is a scene that a person can read, and a line of which can be
 * taken away to see whether it matters; `fault FILE` plays it.
 */
#include "oracle.h"

#include "base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define TOLD_MAX     400000
#define BYTEWISE_MAX 3000 /* bytes of a scene that moves byte by byte: more takes too long */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t scenes, exchanges, faults;

/* A scene is one input and several exchanges. */
static void tell_how_many(void)
{
    printf("scenes: %" PRIu64 ", exchanges: %" PRIu64 ", faults: %" PRIu64 "\n", scenes, exchanges,
           faults);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN); /* as the parent of workers does */
    log_open("fuzz", LOG_ERROR + 1);
    return atexit(tell_how_many);
}

static size_t bytes_of(const struct scene *scene)
{
    size_t n = 0;

    for (size_t i = 0; i < scene->count; i++)
        n += scene->steps[i].bytes.len;
    return n;
}

static void tell(const struct stage *s, const char *wrong)
{
    static char told[TOLD_MAX];
    size_t len = oracle_tell(s, told, sizeof told);

    fprintf(stderr, "WRONG: %s (%s)\n%.*s\n", wrong, faults_hit(), (int)len, told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    const char *why, *wrong;
    struct scene *scene = scene_read(&text, true, &why);
    const struct stage *s;
    struct play play;

    if (scene == NULL)
        return -1;
    scene->early = 0; /* a promise of whoever wrote the scene */
    if (bytes_of(scene) > BYTEWISE_MAX)
        scene->bytewise = 0;
    play = stage_as_said(scene);
    s = stage_play(&play);
    scenes++;
    exchanges += s->stats.requests;
    faults += faults_hit()[0] != '\0';
    wrong = oracle_judge(s);
    if (wrong != NULL) {
        play.patient = true;
        s = stage_play(&play);
        wrong = oracle_judge(s);
        if (wrong != NULL)
            tell(s, wrong);
    }
    free(scene);
    if (wrong != NULL)
        abort();
    return 0;
}
