/*
 * grammar: a second reader of message heads, to hold the proxy's own against.
 *
 * Written from the grammar of RFC 9110, 9112 and 3986, one function a rule of it, and nothing
 * else: it shares no line with core. Where a rule of the proxy is narrower or wider than the
 * grammar (tests/README.md, A1 to A7), the comment in grammar.c says so. It does not read framing.
 */
#ifndef INTERIM_FUZZ_GRAMMAR_H
#define INTERIM_FUZZ_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#define GRAMMAR_FIELDS_MAX 64

/* What is wrong with a head: any number of these. */
enum {
    GRAMMAR_SYNTAX = 1,      /* of a request: 400 */
    GRAMMAR_LONG = 2,        /* start line over its limit: 414 */
    GRAMMAR_LARGE = 4,       /* head, or number of fields, over its limit: 431 */
    GRAMMAR_METHOD = 8,      /* over 32 bytes, or CONNECT: 501 */
    GRAMMAR_VERSION = 16,    /* another major version than 1: 505 */
    GRAMMAR_EXPECTATION = 32 /* any but one 100-continue: 417 */
};

/* Bytes of the input; `at` NULL: not there. */
struct grammar_part {
    const char *at;
    size_t len;
};

struct grammar_field {
    struct grammar_part name, value;
};

struct grammar_limits {
    size_t start_line, head, fields;
};

struct grammar_head {
    bool whole;                              /* its empty line is there */
    size_t end;                              /* of a whole one, with its empty line */
    unsigned breaches;                       /* of a whole one */
    unsigned hopeless;                       /* of any: those that no byte behind these can mend */
    struct grammar_part method, path, query; /* path NULL: "/" or "*", which the target left out */
    struct grammar_part authority;           /* of the target, else of Host */
    unsigned minor;
    unsigned status;
    struct grammar_part reason;
    struct grammar_field fields[GRAMMAR_FIELDS_MAX];
    size_t count;
};

/* Both read the first head of `bytes`; `fields` is at most GRAMMAR_FIELDS_MAX. */
void grammar_read_request(struct grammar_head *out, const char *bytes, size_t len,
                          const struct grammar_limits *limits);
void grammar_read_response(struct grammar_head *out, const char *bytes, size_t len,
                           const struct grammar_limits *limits);

#endif
