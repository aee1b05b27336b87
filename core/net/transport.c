/*
 * transport: plain sockets. Promises the four outcomes of enum io and nothing else.
 */
#include "net/transport.h"

#include "base/sys.h"
#include "net/conn.h"

#include <errno.h>

static enum io failure(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? IO_AGAIN : IO_ERR;
}

static enum io plain_read(struct conn *c, void *bytes, size_t n, size_t *got)
{
    ssize_t r = sys_recv(c->fd, bytes, n);
    *got = r > 0 ? (size_t)r : 0;
    if (r > 0)
        return IO_OK;
    return r == 0 ? IO_EOF : failure();
}

static enum io plain_write(struct conn *c, const struct iovec *iov, int count, size_t *sent)
{
    ssize_t r = sys_writev(c->fd, iov, count);
    *sent = r > 0 ? (size_t)r : 0;
    return r >= 0 ? IO_OK : failure();
}

const struct transport transport_plain = {plain_read, plain_write};
