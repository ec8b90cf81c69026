/* One SOCK_SEQPACKET packet is one message, so nothing needs framing or resynchronization.
 * Descriptors are passed as SCM_RIGHTS, and arrive close-on-exec. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

#define PROTOCOL_VERSION 8u
#define PACKET_MAX 65536
#define PACKET_FDS_MAX 4

/* Creates a channel. The caller closes both ENDS, which are close-on-exec. Returns 0, or -1 with
 * ERR set. */
int packet_pair(int ends[static 2], struct error **err);

/* Sends one packet. SIZE is in bytes, at most PACKET_MAX; FDS stay open. Returns 0, or -1 with ERR
 * set (ERR_INTERRUPTED if the peer is gone). */
int packet_send(int channel, const void *data, size_t size, const int *fds, size_t fd_count,
		struct error **err);

/* As above, without descriptors and without waiting: 1 if there is no room for it now. */
int packet_offer(int channel, const void *data, size_t size, struct error **err);

/* Receives one packet into DATA (SIZE bytes long). Returns its length, 0 if the peer has closed
 * the channel, or -1 with ERR set. ERR_INPUT if a packet is longer than SIZE or carries more than
 * PACKET_FDS_MAX descriptors, which are closed then. The caller closes FDS; the unused ones are
 * -1. */
ssize_t packet_receive(int channel, void *data, size_t size, int fds[static PACKET_FDS_MAX],
		       size_t *fd_count, struct error **err);
