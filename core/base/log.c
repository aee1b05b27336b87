/*
 * log: owns the name under which this process speaks, and the count of its lines that were lost.
 * Promises one write a line, that no byte from the wire can end a line or start one, and that
 * nothing waits for a reader.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

#define TEXT_MAX 2048
#define CUT      "..." /* at the end of what was too long */

static char speaker[32];
static unsigned long lost; /* lines, since one was taken */
static bool torn;          /* what was written last is a part of a line */
static enum log_level least_level = LOG_INFO;
static void (*diverted)(enum log_level level, const char *text, void *arg);
static void *diverted_arg;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

/* RFC 3339 in UTC, milliseconds. Returns what it wrote. */
static size_t write_time(char *out, size_t size)
{
    double now = sys_realtime();
    time_t seconds = (time_t)now;
    int millis = (int)((now - (double)seconds) * 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, size - n, ".%03dZ", millis);
}

/* Up to `size` bytes. Returns what it wrote. */
static size_t write_escaped(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (n + 4 > size - strlen(CUT)) {
            memcpy(out + n, CUT, strlen(CUT));
            return n + strlen(CUT);
        }
        if (c >= ' ' && c <= '~') {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return n;
}

void log_open(const char *who, enum log_level least)
{
    snprintf(speaker, sizeof speaker, "%s", who);
    least_level = least;
    lost = 0; /* by this one; whoever forked it tells of its own */
}

void log_divert(void (*take)(enum log_level level, const char *text, void *arg), void *arg)
{
    diverted = take;
    diverted_arg = arg;
}

static bool write_line(enum log_level level, const char *text)
{
    char line[1 + PIPE_BUF] = "\n";
    size_t n = 1 + write_time(line + 1, 40);
    n += (size_t)snprintf(line + n, sizeof line - n, " %s %s: ", level_names[level],
                          speaker[0] ? speaker : "interim");
    n += write_escaped(line + n, sizeof line - n - 1, text);
    line[n++] = '\n';
    /* Behind a part of a line, which a disk that is full leaves, its end comes first. */
    const char *from = torn ? line : line + 1;
    n -= (size_t)(from - line);
    ssize_t taken = sys_offer(STDERR_FILENO, sys_taker(STDERR_FILENO), from, n);
    if (taken > 0)
        torn = from[taken - 1] != '\n';
    return taken == (ssize_t)n;
}

/* There is nowhere to say at once that lines are lost. */
static bool tell_lost(void)
{
    char text[80];
    snprintf(text, sizeof text, "lines lost before this one: %lu; stderr took no more", lost);
    if (!write_line(LOG_WARNING, text))
        return false;
    lost = 0;
    return true;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < least_level && diverted == NULL)
        return;
    int saved_errno = errno;
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        snprintf(text, sizeof text, "a log line that could not be formatted");
    else if ((size_t)len >= sizeof text)
        memcpy(text + sizeof text - sizeof CUT, CUT, sizeof CUT);

    if (diverted != NULL) {
        char escaped[4 * sizeof text];
        escaped[write_escaped(escaped, sizeof escaped - 1, text)] = '\0';
        diverted(level, escaped, diverted_arg);
    } else if ((lost > 0 && !tell_lost()) || !write_line(level, text)) {
        lost++;
    }
    errno = saved_errno;
}
