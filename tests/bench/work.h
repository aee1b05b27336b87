/*
 * work: what bench_load is asked to do: the kinds of work, its command line, the request it sends.
 */
#ifndef INTERIM_BENCH_WORK_H
#define INTERIM_BENCH_WORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From ECHOES on: through a tunnel. */
enum kind { GET, NEWCONN, EARLY, EXPECT, DOWNLOAD, UPLOAD, ECHOES, POUR, DRAIN };

struct work {
    const char *name, *request;
    enum kind kind;
    bool chunked;
};

extern struct load {
    const struct work *work;
    struct sockaddr_in to, acks;
    long connections, count, fields, bytes;
    double seconds, warm;
    int64_t size;
    bool waits;
    char request[16 << 10];
    size_t request_size;
    char *id; /* where the request has it; NULL: it has none */
} load;

/* Fills `load`; ends the program on a wrong word, or after --help. */
void load_options(int argc, char **argv);

#endif
