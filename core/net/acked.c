/*
 * acked: asks the kernel (TCP_INFO, SO_MEMINFO). A file of its own, since Linux' own header has the
 * field and does not go together with that of the C library.
 */
#include "net/acked.h"

#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Of a unix socket it tells only what it holds. */
static uint64_t taken_here(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof memory;

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) != 0)
        return 0;
    return UINT64_MAX - memory[SK_MEMINFO_WMEM_ALLOC];
}

uint64_t acked_by_peer(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return taken_here(fd);
    return info.tcpi_bytes_acked;
}
