/*
 * fetch: one GET on a connection of its own. Promises that half a text is never taken for a whole
 * one.
 */
#include "process/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define HEAD_MAX 8192

static int open_connection(const struct addr *to)
{
    const struct timeval patience = {.tv_sec = FETCH_SECONDS};
    int fd = socket(to->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, &to->to.any, to->len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool read_all(int fd, struct buf *answer)
{
    for (;;) {
        char *room = buf_room(answer, 4096);
        if (room == NULL) {
            errno = EMSGSIZE;
            return false;
        }
        ssize_t got = recv(fd, room, 4096, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        buf_commit(answer, (size_t)got);
    }
}

/* What stands between a mark in the head and the end of its line; empty if it is not there. */
static struct slice behind(struct slice head, const char *mark)
{
    const char *at = memmem(head.at, head.len, mark, strlen(mark));
    if (at == NULL)
        return slice_of(NULL, 0);
    struct slice rest = slice_skip(head, (size_t)(at - head.at) + strlen(mark));
    rest.len = slice_find(rest, '\r');
    return rest;
}

static bool take_body(struct slice answer, struct buf *body, char *why, size_t why_size)
{
    const char *end = memmem(answer.at, answer.len, "\r\n\r\n", 4);
    uint64_t length;
    if (end == NULL || !slice_starts(answer, SLICE("HTTP/1."))) {
        snprintf(why, why_size, "what answers there speaks no HTTP");
        return false;
    }
    struct slice head = slice_of(answer.at, (size_t)(end - answer.at) + 2);
    struct slice text = slice_skip(answer, head.len + 2);
    if (!slice_starts(slice_skip(head, 8), SLICE(" 200 "))) {
        snprintf(why, why_size, "it answered%.*s", (int)slice_find(slice_skip(head, 8), '\r'),
                 head.at + 8);
        return false;
    }
    if (!slice_to_number(behind(head, "\r\nContent-Length: "), &length) || length != text.len) {
        snprintf(why, why_size, "its answer broke off");
        return false;
    }
    if (!buf_append_slice(body, text)) {
        snprintf(why, why_size, "%s", strerror(EMSGSIZE));
        return false;
    }
    return true;
}

bool fetch(const struct addr *from, const char *path, struct buf *body, char *why, size_t why_size)
{
    char request[256];
    struct buf answer;
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int fd = open_connection(from);
    if (fd < 0) {
        snprintf(why, why_size, "%s", strerror(errno));
        return false;
    }
    buf_init(&answer, body->max + HEAD_MAX);
    bool ok = send(fd, request, (size_t)len, MSG_NOSIGNAL) == len && read_all(fd, &answer);
    if (ok)
        ok = take_body(buf_slice(&answer), body, why, why_size);
    else
        snprintf(why, why_size, "%s", errno == EAGAIN ? "it does not answer" : strerror(errno));
    buf_free(&answer);
    close(fd);
    return ok;
}
