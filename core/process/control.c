/*
 * control: sends and receives the messages between parent and worker. Owns their form on the
 * socket; what they mean is for reload, crew and worker.
 */
#include "process/control.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

union room {
    char bytes[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

bool control_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0;
}

bool control_send(int fd, const struct control_message *message)
{
    assert(message->fd_count <= CONTROL_FDS_MAX);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    union room room;
    memset(&room, 0, sizeof room);
    if (message->fd_count > 0) {
        size_t size = message->fd_count * sizeof(int);
        header.msg_control = room.bytes;
        header.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), message->fds, size);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message;
}

static void take_fds(struct msghdr *header, struct control_message *out)
{
    out->fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = c->cmsg_len - CMSG_LEN(0);
        assert(size <= sizeof out->fds);
        memcpy(out->fds, CMSG_DATA(c), size);
        out->fd_count = size / sizeof(int);
    }
}

void control_drop_fds(struct control_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        sys_close(message->fds[i]);
    message->fd_count = 0;
}

enum control_got control_receive(int fd, struct control_message *out)
{
    union room room;
    struct iovec iov = {.iov_base = out, .iov_len = sizeof *out};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = room.bytes,
                            /* Not all of the room: what aligns it would hold one more. */
                            .msg_controllen = CMSG_LEN(sizeof out->fds)};
    ssize_t got;
    do
        got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return CONTROL_NOTHING;
    if (got <= 0)
        return CONTROL_GONE;
    take_fds(&header, out);
    /* A worker speaks to the network: should one be taken over, its words must not end the parent.
     */
    if (got != (ssize_t)sizeof *out) {
        control_drop_fds(out);
        return CONTROL_GONE;
    }
    out->text[sizeof out->text - 1] = '\0';
    return CONTROL_GOT;
}
