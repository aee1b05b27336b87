/*
 * bundle: the sources of a policy, gathered from files in the loader, replayed in the workers.
 *
 * Layout: a line that names the format, then for each source three counted runs of bytes (a length
 * of four bytes, little-endian, then so many): the name it is required by, the name Lua calls it in
 * messages, its text. The policy file itself has the empty name and comes first.
 */
#ifndef INTERIM_LUA_BUNDLE_H
#define INTERIM_LUA_BUNDLE_H

#include "base/buf.h"

/* A source; slices borrow from the bundle and die when another source is added to it. */
struct bundle_source {
    struct slice name;
    struct slice chunk;
    struct slice text;
};

struct bundle {
    struct buf *gathered; /* in the loader: where sources go; NULL in a worker */
    struct slice bytes;   /* in a worker: the whole bundle */
    struct slice folder;  /* in the loader: of the policy file, with its last '/', or empty */
};

/* No text longer than this is read. */
#define BUNDLE_TEXT_MAX (4u * 1024 * 1024)

/* Begins to gather beside a policy file; `path` and `gathered` must outlive the bundle. */
bool bundle_gather(struct bundle *b, const char *path, struct buf *gathered);

/* Begins to replay. False if the bytes are no bundle; every later lookup is then safe. */
bool bundle_replay(struct bundle *b, struct slice bytes);

/* Reads a file into the bundle under this name. False with a message, and nothing was added. */
bool bundle_add_file(struct bundle *b, struct slice name, const char *path, char *why,
                     size_t why_size);

bool bundle_find(const struct bundle *b, struct slice name, struct bundle_source *out);

#endif
