/*
 * origin_local: what the files of an origin share. Nobody else includes it.
 */
#ifndef INTERIM_PROXY_ORIGIN_LOCAL_H
#define INTERIM_PROXY_ORIGIN_LOCAL_H

#include "proxy/origin.h"

/* ---- origin.c ---- */

/* As the policy has it. */
const char *origin_upstream_name(const struct origin *o);

/* ---- origin_read.c ---- */

void origin_on_readable(struct conn *conn);

/* Works on bytes as far as its step goes; *input moves on. Or on those that are held. */
void origin_work(struct origin *o, struct slice *input);
void origin_work_on_held(struct origin *o);

#endif
