/*
 * acked: what the peer of a connection has taken of what the kernel holds for it.
 *
 * The kernel takes megabytes ahead and then nothing for a while: a peer that reads slowly but
 * steadily cannot be told by writes from one that has stopped.
 */
#ifndef INTERIM_NET_ACKED_H
#define INTERIM_NET_ACKED_H

#include <stdint.h>

/* Bytes that the peer has acknowledged since the connection was made; 0 if this is not TCP. */
uint64_t acked_by_peer(int fd);

#endif
