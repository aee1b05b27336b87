/*
 * scene: what both ends of the wire do, step by step, and what the policy between them says.
 *
 * Targets are one character long, and an origin's final head says `X-For: /?`: the stage puts the
 * target there that the connection was asked for, so that an answer that goes to another request
 * is noticed. Every body ends in its only `!`, and contains a request for `/smuggled`.
 */
#ifndef INTERIM_TESTS_FAULT_SCENE_H
#define INTERIM_TESTS_FAULT_SCENE_H

#include "proxy/policy.h"

#include <stdbool.h>
#include <stddef.h>

#define ACTS(X)                                                                                    \
    X(THE_END, "nothing")                                                                          \
    X(CLIENT_SENDS, "the client sends")                                                            \
    X(CLIENT_TUNNELS, "the client sends, if it heard a 101")                                       \
    X(CLIENT_ENDS, "the client ends its sending side")                                             \
    X(CLIENT_LEAVES, "the client closes")                                                          \
    X(CLIENT_RESETS, "the client resets")                                                          \
    X(CLIENT_PAUSES, "the client stops reading")                                                   \
    X(CLIENT_READS, "the client reads again")                                                      \
    X(ANOTHER_CLIENT, "another connects, and is the client from here on")                          \
    X(ORIGIN_SENDS, "the origin sends, if it heard a request")                                     \
    X(ORIGIN_ENDS, "the origin ends its sending side")                                             \
    X(ORIGIN_LEAVES, "the origin closes")                                                          \
    X(ORIGIN_RESETS, "the origin resets")                                                          \
    X(ORIGIN_PAUSES, "the origin stops reading")                                                   \
    X(ORIGIN_READS, "the origin reads again")                                                      \
    X(BOTH_RESET, "both reset")                                                                    \
    X(HOOK_ANSWERS, "the hook that waits longest answers")                                         \
    X(TIME_PASSES, "as many seconds pass as `times` says")                                         \
    X(RELOADS, "another policy is used from here on")                                              \
    X(DRAINS, "the worker drains")

#define ACT_ENUM(name, text) name,
enum act { ACTS(ACT_ENUM) ACT_COUNT };

struct step {
    enum act act;
    const char *text;
    unsigned times; /* the text is said so often; 0: once */
};

#define STEPS_MAX 18

struct scene {
    const char *name;
    unsigned hooks;         /* bits of those that the policy has */
    enum verdict_kind kind; /* what they all say */
    int status;             /* of an answer */
    bool prompt;            /* they do not wait */
    bool local;             /* over unix sockets with small buffers, so that bodies have to wait */
    bool gush;              /* with it: what the origin sends comes all at once */
    bool tight;             /* small buffers of TCP: what is not read once stands still */
    bool varies;            /* how much of what breaks off gets through depends on the pieces */
    bool early;             /* an answer before the early bytes are read cannot know of them */
    bool refused_first;     /* the first of two addresses refuses */
    bool proxied;           /* clients begin with a PROXY header */
    double own_continue;    /* timeouts.continue */
    size_t answers;         /* final responses that the clients get when nothing goes wrong */
    struct step steps[STEPS_MAX];
};

#define HOOK(name) (1u << HOOK_##name)

/* 128 bytes, 80 in hex, none of which could be taken for an id. */
#define PIECE                                                                                      \
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"                                            \
    "ghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnz"
#define BODY                                                                                       \
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"                                            \
    "ghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmn!"
#define EARLY "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

_Static_assert(sizeof PIECE == 129 && sizeof BODY == 129, "a chunk of 80");

#define ASK(method, target, fields) method " /" target " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define GET(target)                 ASK("GET", target, "")
#define LENGTH(n)                   "Content-Length: " n "\r\n"
#define CHUNKED(n)                  "Transfer-Encoding: chunked\r\nX-Size: " n "\r\n"
#define OPEN(n)                     "X-Open: yes\r\nX-Size: " n "\r\n" /* only the end ends it */
#define EXPECT                      "Expect: 100-continue\r\n"
#define CHUNK(bytes)                "80\r\n" bytes "\r\n"
#define LAST_CHUNK                  "0\r\n\r\n"
#define OFFER                                                                                      \
    "Connection: upgrade\r\nUpgrade: websocket\r\n"                                                \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

#define FINAL(status, fields) "HTTP/1.1 " status "\r\nX-For: /?\r\n" fields "\r\n"
#define OK                    FINAL("200 OK", LENGTH("3")) "hi!"
#define CONTINUE              "HTTP/1.1 100 Continue\r\n\r\n"
#define PROCESSING            "HTTP/1.1 102 Processing\r\n\r\n"
#define HINTS                 "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
#define SWITCH                                                                                     \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

/* Two files of them: what passes when all goes well, and where two things meet. */
extern const struct scene plain_scenes[];
extern const size_t plain_count;
extern const struct scene meeting_scenes[];
extern const size_t meeting_count;

#endif
