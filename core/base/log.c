/*
 * log: owns the name under which this process speaks. Promises one write a line, and that no byte
 * from the wire can end a line or start one.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

#define TEXT_MAX 2048

static char speaker[32];
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

/* `out` has four bytes for each byte of `text`. Returns what it wrote. */
static size_t write_escaped(char *out, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
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
}

void log_divert(void (*take)(enum log_level level, const char *text, void *arg), void *arg)
{
    diverted = take;
    diverted_arg = arg;
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
        memcpy(text + sizeof text - 4, "...", 4);

    char line[64 + sizeof speaker + 4 * sizeof text];
    if (diverted != NULL) {
        line[write_escaped(line, text)] = '\0';
        diverted(level, line, diverted_arg);
        errno = saved_errno;
        return;
    }
    size_t n = write_time(line, 40);
    n += (size_t)snprintf(line + n, sizeof line - n, " %s %s: ", level_names[level],
                          speaker[0] ? speaker : "interim");
    n += write_escaped(line + n, text);
    line[n++] = '\n';
    /* Past sys on purpose: what a test does to the proxy's calls must not take away the line that
     * tells of it. A line that cannot be written is lost; there is nowhere left to say so. */
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written;
    errno = saved_errno;
}
