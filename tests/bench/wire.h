/*
 * wire: what the programs of the benchmark have in common: sockets, heads, and bodies whose every
 * byte is known, so that the reader can tell a body from any other. Whatever goes wrong ends the
 * program with a message: a figure next to a wrong answer is worth nothing.
 */
#ifndef INTERIM_BENCH_WIRE_H
#define INTERIM_BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define PIECE      ((size_t)256 << 10) /* at most what one call reads or writes */
#define SMALL_SIZE 128                 /* the body of a small answer, and of a small upload */
#define ID_SIZE    8 /* hex digits: which request it is, told in path and answer */
#define ECHO_SIZE  64
#define ORDER_SIZE 16 /* of what a bulk tunnel should do: 'D' or 'U', the size in hex */

/* The key of RFC 6455, 1.3, and what it comes to. */
#define WS_KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Prints the message and ends the program with 1. What `wire_failing` points to is called first. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void (*wire_failing)(const char *message);

/* 127.0.0.1:8080; fails on anything else. */
struct sockaddr_in wire_address(const char *text);

/* A listening socket that does not block; `port` 0 takes a free one, which is then in `*at`. */
int wire_listen(struct sockaddr_in *at);

/* A socket that does not block and is connecting; from 127.0.0.`source`, if that is not 0. */
int wire_connect(const struct sockaddr_in *to, int source);

/* As many descriptors as the system gives. */
void wire_raise_limits(void);

/* Now, in seconds, of the monotonic clock. */
double wire_now(void);

/* 64m, 1g, 4096 */
int64_t wire_size(const char *text);

/* Writes all, at once: meant for little. */
void wire_send(int fd, const void *bytes, size_t n);

/* The length of the head at the front of `bytes`, with its empty line; 0 if its end is not there.
 */
size_t head_length(const char *bytes, size_t n);

/* The value of a field; NULL without it. Names are compared without case. Ends at CR. */
const char *head_field(const char *head, size_t n, const char *name);

/* Whether the field is there and its value begins so, without case. */
bool head_says(const char *head, size_t n, const char *name, const char *value);

/* The small body that belongs to an id. */
void small_body(char body[SMALL_SIZE], const char *id);

/* A body on its way out. */
struct body_out {
    int64_t size; /* of what goes over the wire */
    int64_t at;
    int64_t chunks; /* 0: not chunked */
};

#define BODY_IOVECS 40

#define BODY_CHUNK ((int64_t)32 << 10)

/* The size of a chunked body must be one of whole chunks. */
void body_out_begin(struct body_out *b, int64_t size, bool chunked);

/* Writes until the socket takes no more; true when all is written. */
bool body_out_write(struct body_out *b, int fd);

/* A body on its way in. */
struct body_in {
    int64_t seen;
    int64_t left; /* of the body, or of this chunk */
    enum { BODY_PLAIN, BODY_SIZE, BODY_DATA, BODY_DATA_END, BODY_TRAILER, BODY_OVER } state;
};

void body_in_begin(struct body_in *b, int64_t size, bool chunked);

/* Reads on, compares, and says how many bytes were the body's; `state` tells when it is over. */
size_t body_in_take(struct body_in *b, const char *bytes, size_t n);

#endif
