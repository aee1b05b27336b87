/*
 * scene: what both ends of the wire do, step by step, and what the policy between them says.
 *
 * Scenes are text, in files `scenes/NAME.scene`: what is tested here, what the fuzzer starts from
 * and what it finds are written in one language. A scene is a name, how it is set up, and its
 * steps:
 *
 *     scene an expectation, refused here
 *     hook expect answer 403 waits
 *     answers 1
 *     client sends PUT /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length:
 * 128\r\n\r\n hook answers client sends {BODY}
 *     + client leaves
 *
 * A line is a step (ACTS below) or sets something up (SETTERS below). A `+` before a step: it comes
 * in the same turn of the loop as the step before. In bytes that are sent, `\r \n \t \\ \{ \xHH`
 * are what they are in C, `{BODY}` stands for a text of scene.c, `{BODY*3}` for three of them. A
 * line that begins with # is a remark, an empty one nothing.
 *
 * By convention, targets are one character long, and an origin's final head says `X-For: /?`: the
 * stage puts the target there that the connection was asked for, so that an answer that goes to
 * another request is noticed. Bodies contain a request for `/smuggled`.
 */
#ifndef INTERIM_TESTS_FAULT_SCENE_H
#define INTERIM_TESTS_FAULT_SCENE_H

#include "base/slice.h"
#include "faults.h"
#include "proxy/policy.h"

#include <stdbool.h>
#include <stddef.h>

/* What stands behind the words of a line. */
enum operand { NOTHING, BYTES, NUMBER };

#define ACTS(X)                                                                                    \
    X(NO_ACT, NOTHING, "nothing happens")                                                          \
    X(CLIENT_SENDS, BYTES, "client sends")                                                         \
    X(CLIENT_TUNNELS, BYTES, "client tunnels") /* sends, if it heard a 101 */                      \
    X(CLIENT_ENDS, NOTHING, "client ends")     /* its sending side */                              \
    X(CLIENT_LEAVES, NOTHING, "client leaves")                                                     \
    X(CLIENT_RESETS, NOTHING, "client resets")                                                     \
    X(CLIENT_PAUSES, NOTHING, "client pauses")   /* does not read */                               \
    X(CLIENT_READS, NOTHING, "client reads")     /* again */                                       \
    X(ANOTHER_CLIENT, NOTHING, "another client") /* connects, and is the client from here on */    \
    X(ORIGIN_SENDS, BYTES, "origin sends")       /* if it heard a request */                       \
    X(ORIGIN_ENDS, NOTHING, "origin ends")                                                         \
    X(ORIGIN_LEAVES, NOTHING, "origin leaves")                                                     \
    X(ORIGIN_RESETS, NOTHING, "origin resets")                                                     \
    X(ORIGIN_PAUSES, NOTHING, "origin pauses")                                                     \
    X(ORIGIN_READS, NOTHING, "origin reads")                                                       \
    X(BOTH_RESET, NOTHING, "both reset")                                                           \
    X(HOOK_ANSWERS, NOTHING, "hook answers") /* the one that waits longest */                      \
    X(TIME_PASSES, NUMBER, "time passes")    /* seconds */                                         \
    X(RELOADS, NOTHING, "reload")            /* another policy is used from here on */             \
    X(DRAINS, NOTHING, "drain")                                                                    \
    X(ONE_TURN, NOTHING, "turn") /* of the loop, behind a + and before one */

#define ACT_ENUM(name, operand, words) name,
enum act { ACTS(ACT_ENUM) ACT_COUNT };

const char *act_words(enum act act);

struct step {
    enum act act;
    bool at_once; /* the one before is not waited for */
    struct slice bytes;
    unsigned number;
};

/* What a hook says: nothing, as there is none; at once; or when an act tells it to. */
struct said {
    enum { NO_HOOK, PROMPT, WAITS } when;
    enum verdict_kind kind;
    int status; /* of an answer */
};

enum ending {
    ENDING_SILENCE, /* nobody moves, time alone must bring the worker to rest */
    ENDING_HANGUP,  /* both ends leave */
    ENDING_FREE,    /* the worker ends in the middle */
    ENDING_COUNT
};

#define STEPS_MAX      48
#define BYTES_MAX      49152 /* of all steps together, as they are sent */
#define SCENE_NAME_MAX 96

/* A line of its own each; a NUMBER stands behind some. */
#define SETTERS(X)                                                                                 \
    X(local, NOTHING, "local")   /* unix sockets with small buffers: bodies have to wait */        \
    X(gush, NOTHING, "gush")     /* with it: what the origin sends comes all at once */            \
    X(tight, NOTHING, "tight")   /* small buffers of TCP: what is not read once stands still */    \
    X(varies, NOTHING, "varies") /* how much of what breaks off gets through does, with pieces */  \
    X(early, NOTHING, "early") /* an answer before the early bytes are read can't know of them */  \
    X(refused_first, NOTHING, "first refuses") /* the first of two addresses does */               \
    X(proxied, NOTHING, "proxied")             /* clients begin with a PROXY header */             \
    X(proxies, NUMBER, "proxies")              /* so do connections to origins; the version */     \
    X(own_continue, NUMBER, "own continue")    /* timeouts.continue */                             \
    X(requests, NUMBER, "limit of requests")   /* on one connection of a client */                 \
    X(clients, NUMBER, "limit of clients")     /* limits.connections */                            \
    X(unpooled, NOTHING, "unpooled")           /* limits.upstream_idle is 0 */                     \
    X(buffered, NUMBER, "limit of buffered")   /* limits.buffered, bytes */                        \
    X(answers, NUMBER, "answers")              /* final ones, when nothing goes wrong */           \
    X(storm, NOTHING, "storm")                 /* every other read and write says EAGAIN */        \
    X(bytewise, NOTHING, "bytewise")           /* reads and writes move one byte */                \
    X(fail, NUMBER, "fail")                    /* this call, counted from 1 */                     \
    X(way, NUMBER, "in way")                   /* and in which of its ways */                      \
    X(onward, NOTHING, "and all later")        /* of its kind */                                   \
    X(ending, NUMBER, "ending")                /* see enum ending */

struct scene {
    char name[SCENE_NAME_MAX];
    struct said hooks[HOOK_COUNT];
#define SETTER_MEMBER(member, operand, words) unsigned member;
    SETTERS(SETTER_MEMBER)
#undef SETTER_MEMBER
    size_t count;
    struct step steps[STEPS_MAX];
    char bytes[]; /* of the steps */
};

/*
 * Reads the first scene of *text, which moves behind it; the caller frees it. NULL when there is
 * none (*why stays NULL) or a line cannot be read (*why says so, *text begins there). `lenient`
 * passes over such lines, and over what is too long.
 */
struct scene *scene_read(struct slice *text, bool lenient, const char **why);

/* Those of a file, each of which the caller frees: how many. Exits, and says why, when a line
 * cannot be read or there are more than `max`. */
size_t scenes_load(const char *path, bool lenient, struct scene *scenes[], size_t max);

/* The faults that the scene itself names. */
struct fault_plan scene_faults(const struct scene *scene);

#endif
