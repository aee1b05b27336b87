/*
 * fetch: gets a text from an admin listener, for commands that show it. It blocks.
 */
#ifndef INTERIM_PROCESS_FETCH_H
#define INTERIM_PROCESS_FETCH_H

#include "base/buf.h"
#include "net/addr.h"

#define FETCH_SECONDS 5 /* without a byte, then it gives up */

/* Appends the body of the answer. False with a message unless it came whole with status 200. */
bool fetch(const struct addr *from, const char *path, struct buf *body, char *why, size_t why_size);

#endif
