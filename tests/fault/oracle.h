/*
 * oracle: what must be true after every scene, whatever failed in it.
 */
#ifndef INTERIM_TESTS_FAULT_ORACLE_H
#define INTERIM_TESTS_FAULT_ORACLE_H

#include "stage.h"

/*
 * NULL, or what is wrong: the first of
 *  - a worker that does not come to rest, spins, or loses memory, sockets, lines of its log;
 *  - counters that break the laws of proxy/stats.h;
 *  - anybody that waits longer than a deadline allows, or hears too soon of one: waits.h;
 *  - a client that heard more answers than it asked for, one that no origin gave to this request,
 * one that looks whole and is not, a 1xx that no origin sent or in HTTP/1.0, anything behind
 *    `Connection: close`, bytes in a tunnel that the origin did not say;
 *  - an origin that heard a request that no client made, half a body as a whole one, a POST twice,
 * anything behind a body that it answered too early, more requests than the worker counted, bytes
 * in a tunnel that the client did not say.
 *
 * Who said what is read by books.h; where more was said than it holds, the first two remain.
 */
const char *oracle_judge(const struct stage *s);

/* The final responses that the clients got. */
size_t oracle_answers(const struct stage *s);

/* Writes what all ends heard, without what differs from run to run: dates, ids, how a body was cut
 * into chunks. Returns how much. */
size_t oracle_tell(const struct stage *s, char *out, size_t size);

#endif
