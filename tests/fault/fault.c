/*
 * Whatever call fails, in whatever scene and whatever way, the worker must not crash, leak, hang,
 * answer twice or lose count: oracle.h has the whole list.
 *
 *     fault          a sample of all faults, and everything else
 *     fault --all    every fault; prints what was injected
 *     fault FILE     plays the scenes of a file as they say, and tells what was heard
 *
 * A whole worker runs in this thread, with a policy in C, and both ends of the wire are scripts.
 */
#include "oracle.h"

#include "base/log.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SAMPLE       19 /* without --all, every so many-th */
#define SAMPLE_ALONE 4  /* likewise, of the faults without anything else */
#define SPLIT_MOST   60 /* faults in one scene that moves byte by byte */
#define AFTERMATH    5  /* calls that fail behind an interruption */
#define TOLD_MAX     200000
#define WRONG_MOST   10
#define SCENES_MAX   256

static size_t one_of = SAMPLE;
static size_t faults, plays, patient_plays, candidates, wrongs;

static struct scene *scenes[SCENES_MAX];
static size_t scene_count;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- playing and judging ---- */

static void report(const struct play *p, const struct stage *s, const char *wrong)
{
    static char told[TOLD_MAX];
    static const char *const endings[] = {"silence", "hanging up", "the worker's end"};
    size_t len = oracle_tell(s, told, sizeof told);

    fprintf(stderr, "%s: %s\n  call %zu: %s; after step %zu %s%s; io %d; then %s\n%.*s\n",
            p->scene->name, wrong, p->faults.at, faults_hit(), p->after, act_words(p->interruption),
            p->hurried ? ", and in the same turn the next" : "", (int)p->faults.io,
            endings[p->ending], (int)len, told);
    if (++wrongs >= WRONG_MOST)
        fail_msg("and perhaps more");
}

/* A machine under load may bring a byte late, and another order may be another story: what goes
 * wrong is played again with patience, and must go wrong again. */
static const struct stage *judge(const struct play *p)
{
    struct play patient = *p;
    const struct stage *s = stage_play(p);
    const char *wrong = oracle_judge(s);

    plays++;
    faults += faults_hit()[0] != '\0';
    if (wrong == NULL)
        return s;
    patient_plays++;
    patient.patient = true;
    s = stage_play(&patient);
    wrong = oracle_judge(s);
    if (wrong != NULL)
        report(&patient, s, wrong);
    return s;
}

static bool is_chosen(size_t of)
{
    return candidates++ % of == 0;
}

/* Which calls of a scene fail, and in which ways. */
struct sweep {
    struct play play;
    size_t calls;             /* of the scene when nothing fails */
    size_t first, last, step; /* calls, counted from 1 */
    bool all_ways;            /* or one of them by turns */
    size_t one_of;            /* only every so many-th fault */
};

/* A worker that calls again and again without getting anywhere is as bad as one that hangs. */
static void judge_fault(const struct sweep *w)
{
    const struct stage *s;

    if (!is_chosen(w->one_of))
        return;
    s = judge(&w->play);
    if (s->calls > w->calls * 4 + 1000)
        report(&w->play, s, "calls without end");
}

/* Each of the calls fails alone, and then with all later ones of its kind. To be called right after
 * the scene was played with nothing failing. */
static void sweep(struct sweep w)
{
    static unsigned char trace[1u << 16];
    size_t turn = 0;

    for (size_t k = w.first; k <= w.last && k < sizeof trace; k += w.step)
        trace[k] = (unsigned char)faults_call_at(k);
    for (size_t k = w.first; k <= w.last && k < sizeof trace; k += w.step, turn++) {
        enum fault_call call = (enum fault_call)trace[k];
        w.play.faults.at = k;
        for (size_t way = 0; way < (w.all_ways ? faults_ways(call) : 1); way++) {
            w.play.faults.way = w.all_ways ? way : turn;
            w.play.faults.onward = false;
            w.play.ending = (enum ending)((k + way) % ENDING_COUNT);
            judge_fault(&w);
            if (!faults_lasts(call, w.play.faults.way))
                continue;
            w.play.faults.onward = true;
            w.play.ending = (enum ending)((k + way + 1) % ENDING_COUNT);
            judge_fault(&w);
        }
    }
}

/* ---- the tests ---- */

/* At the end of each: nothing went wrong, and how much might have. */
static void conclude(void)
{
    static size_t faults_before, plays_before;
    static double before;
    double now = processor_seconds();

    print_message("             %zu faults, %zu times a scene, %.1f s of the processor\n",
                  faults - faults_before, plays - plays_before, now - before);
    faults_before = faults;
    plays_before = plays;
    before = now;
    assert_int_equal(wrongs, 0);
}

static void every_scene_comes_out_as_it_should(void **state)
{
    (void)state;

    for (size_t i = 0; i < scene_count; i++)
        for (int ending = 0; ending < ENDING_COUNT; ending++) {
            struct play p = {.scene = scenes[i], .ending = (enum ending)ending, .patient = true};
            const struct stage *s = judge(&p);
            if (oracle_answers(s) != p.scene->answers)
                report(&p, s, "not the number of answers it should have");
            assert_true(s->calls > 5);
        }
    conclude();
}

static void any_call_may_fail(void **state)
{
    (void)state;

    for (size_t i = 0; i < scene_count; i++) {
        struct sweep w = {.play.scene = scenes[i], .first = 1, .step = 1, .all_ways = true};
        w.calls = w.last = judge(&w.play)->calls;
        w.one_of = one_of == 1 ? 1 : SAMPLE_ALONE;
        sweep(w);
    }
    conclude();
}

static const enum act interruptions[] = {
    NO_ACT,        CLIENT_ENDS, CLIENT_LEAVES, CLIENT_RESETS, ORIGIN_ENDS, ORIGIN_LEAVES,
    ORIGIN_RESETS, BOTH_RESET,  TIME_PASSES,   RELOADS,       DRAINS,
};

/* With nothing wrong but that, and with each of the calls failing that come soon behind it. */
static void interrupt(const struct scene *scene, size_t after, enum act act, bool hurried)
{
    struct sweep w = {.step = 1, .one_of = 1};
    const struct stage *s;

    if (!is_chosen(one_of))
        return;
    w.play = (struct play){.scene = scene,
                           .after = after,
                           .interruption = act,
                           .hurried = hurried,
                           .ending = (enum ending)(after % ENDING_COUNT)};
    s = judge(&w.play);
    w.calls = s->calls;
    w.first = s->calls_before + 1;
    w.last = s->calls < w.first + AFTERMATH ? s->calls : w.first + AFTERMATH - 1;
    sweep(w);
}

static void anything_may_happen_at_any_step(void **state)
{
    (void)state;

    for (size_t i = 0; i < scene_count; i++)
        for (size_t after = 0; after <= scenes[i]->count; after++)
            for (size_t a = 0; a < sizeof interruptions / sizeof *interruptions; a++) {
                if (interruptions[a] != NO_ACT)
                    interrupt(scenes[i], after, interruptions[a], false);
                interrupt(scenes[i], after, interruptions[a], true);
            }
    conclude();
}

/* Both ends hear the same, whole or in pieces. */
static bool is_same(struct play p, enum fault_io io)
{
    static char whole[TOLD_MAX], split[TOLD_MAX];
    size_t whole_len = oracle_tell(judge(&p), whole, sizeof whole);
    size_t split_len;
    const struct stage *s;

    p.faults.io = io;
    s = judge(&p);
    split_len = oracle_tell(s, split, sizeof split);
    if (p.scene->varies || (whole_len == split_len && memcmp(whole, split, whole_len) == 0))
        return true;
    if (p.patient) {
        fprintf(stderr, "whole, this would be\n%.*s", (int)whole_len, whole);
        report(&p, s, "it comes out differently");
    }
    return false;
}

static void same_in(enum fault_io io)
{
    for (size_t i = 0; i < scene_count; i++) {
        struct sweep w = {.play.scene = scenes[i], .first = 1, .one_of = one_of};
        if (!is_same(w.play, io)) {
            w.play.patient = true;
            (void)is_same(w.play, io);
        }
        w.play.patient = false;
        w.play.faults.io = io;
        w.calls = w.last = judge(&w.play)->calls;
        w.step = w.calls / SPLIT_MOST + 1;
        if (!scenes[i]->early)
            sweep(w);
    }
    conclude();
}

static void one_byte_at_a_time_changes_nothing(void **state)
{
    (void)state;
    same_in(FAULT_IO_SHORT);
}

static void a_storm_of_eagain_changes_nothing(void **state)
{
    (void)state;
    same_in(FAULT_IO_STORM);
}

static int show(const char *path)
{
    static char told[TOLD_MAX];
    int wrong_ones = 0;

    scene_count = scenes_load(path, true, scenes, SCENES_MAX);
    for (size_t i = 0; i < scene_count; i++) {
        struct play p = stage_as_said(scenes[i]);
        const struct stage *s;
        const char *wrong;
        p.patient = true;
        s = stage_play(&p);
        wrong = oracle_judge(s);
        wrong_ones += wrong != NULL;
        printf("%s: %s, %zu answers\n%.*s\n", p.scene->name, wrong != NULL ? wrong : "good",
               oracle_answers(s), (int)oracle_tell(s, told, sizeof told), told);
    }
    return wrong_ones > 0;
}

/* Those of all files, in the order of their names. */
static void load_scenes(void)
{
    glob_t files;

    if (glob(SCENES "/*.scene", 0, NULL, &files) != 0) {
        fprintf(stderr, "fault: no scenes in " SCENES "\n");
        exit(2);
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        scene_count +=
            scenes_load(files.gl_pathv[i], false, scenes + scene_count, SCENES_MAX - scene_count);
    globfree(&files);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scene_comes_out_as_it_should),
        cmocka_unit_test(any_call_may_fail),
        cmocka_unit_test(anything_may_happen_at_any_step),
        cmocka_unit_test(one_byte_at_a_time_changes_nothing),
        cmocka_unit_test(a_storm_of_eagain_changes_nothing),
    };
    time_t began = time(NULL);
    int failed;

    /* What is logged here is meant to go wrong. */
    signal(SIGPIPE, SIG_IGN); /* as the parent of workers does */
    log_open("fault", LOG_ERROR + 1);
    if (argc == 2 && strcmp(argv[1], "--all") == 0) {
        one_of = 1;
    } else if (argc == 2 && argv[1][0] != '-') {
        return show(argv[1]);
    } else if (argc > 1) {
        fprintf(stderr, "usage: fault [--all | FILE]\n");
        return 2;
    }
    load_scenes();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("%zu faults in %zu scenes, played %zu times in %ld s (%zu with patience)\n", faults,
           scene_count, plays, (long)(time(NULL) - began), patient_plays);
    faults_print();
    for (size_t i = 0; i < scene_count; i++)
        free(scenes[i]);
    return failed;
}
