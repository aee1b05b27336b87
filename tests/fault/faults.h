/*
 * faults: another implementation of base/sys.h, for tests. It fails the k-th fallible call, or
 * moves one byte at a time, or says EAGAIN every other time, and counts what was handed out.
 */
#ifndef INTERIM_TESTS_FAULT_FAULTS_H
#define INTERIM_TESTS_FAULT_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum fault_mode {
    FAULTS_NONE,  /* every call goes to the kernel as it is */
    FAULTS_KTH,   /* the k-th fallible call fails, all others do not */
    FAULTS_SHORT, /* reads and writes move one byte */
    FAULTS_STORM  /* every other read and write says EAGAIN, the others move a few bytes */
};

/* Starts counting anew. `k` counts from 1 and is for FAULTS_KTH. */
void faults_begin(enum fault_mode mode, size_t k);

size_t faults_calls(void);    /* fallible calls since faults_begin */
const char *faults_hit(void); /* the call that was failed, "" if none was */
size_t faults_blocks(void);   /* heap blocks handed out and not given back */
size_t faults_sockets(void);  /* sockets handed out and not closed */

#endif
