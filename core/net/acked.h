/*
 * acked: what the peer of a connection has taken of what the kernel holds for it.
 *
 * The kernel takes megabytes ahead and then nothing for a while: a peer that reads slowly but
 * steadily cannot be told by writes from one that has stopped.
 */
#ifndef INTERIM_NET_ACKED_H
#define INTERIM_NET_ACKED_H

#include <stdint.h>

/* A number that grows with what the peer takes, as long as nothing is sent: the bytes that it has
 * acknowledged, or, on a unix socket, one that moves with every piece it has read to its end. */
uint64_t acked_by_peer(int fd);

#endif
