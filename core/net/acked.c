/*
 * acked: asks the kernel (TCP_INFO). A file of its own, since Linux' own header has the field and
 * does not go together with that of the C library.
 */
#include "net/acked.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

uint64_t acked_by_peer(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    return info.tcpi_bytes_acked;
}
