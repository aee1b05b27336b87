/*
 * log: lines for the operator, on stderr. One line where a decision is taken; its text ends with
 * what happens next.
 *
 * A line is written with one write, so lines of several processes do not mix. Bytes that are not
 * printable ASCII are escaped as \xNN, so that nothing from the wire can forge a line. Nobody waits
 * for who reads them: a line that is not taken at once is lost, and the next one that is taken has
 * a line before it that says how many were.
 */
#ifndef INTERIM_BASE_LOG_H
#define INTERIM_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Who speaks ("parent", "worker 1", "loader"); copied. Lines below `least` are dropped. */
void log_open(const char *who, enum log_level least);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For tools that show lines in a form of their own: every line goes to `take`, its text escaped,
 * and nothing to stderr, until the next call with NULL. */
void log_divert(void (*take)(enum log_level level, const char *text, void *arg), void *arg);

#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)

#endif
