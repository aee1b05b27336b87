/*
 * access_line: one exchange that is over as one line of the access log, as text or as JSON.
 *
 * Pure: a function of the exchange and the time. Bytes that are not printable ASCII are escaped,
 * and in the text form blanks, too, where a field has no quotes around it, so that every line
 * parses back whatever a client sent. Fields are documented in README.md.
 */
#ifndef INTERIM_PROXY_ACCESS_LINE_H
#define INTERIM_PROXY_ACCESS_LINE_H

#include "base/slice.h"
#include "proxy/policy.h"

/* Bytes that its line has at most. */
size_t access_line_most(const struct policy_view *view);

/*
 * Writes the line, its end included, to `to`, where there must be access_line_most bytes; how many
 * it took. `form` is not LOG_FORM_NONE, `time` is like "2026-11-23T07:41:07.888Z".
 */
size_t access_line_put(char *to, enum log_form form, struct slice time,
                       const struct policy_view *view);

#endif
