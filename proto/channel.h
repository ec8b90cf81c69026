/* One SOCK_SEQPACKET packet is one message: nothing to frame, nothing to resynchronise.
 * Descriptors travel beside it as SCM_RIGHTS, and arrive close-on-exec. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

#define PROTOCOL_VERSION 6u
#define PACKET_MAX 65536
#define PACKET_FDS_MAX 4

/* Makes a channel: both of its ENDS, close-on-exec, are the caller's. 0, or -1 with ERR set. */
int packet_pair(int ends[static 2], struct error **err);

/* Sends one packet. SIZE is in bytes, at most PACKET_MAX; FDS stay the caller's.
 * Returns 0, or -1 with ERR set (ERR_INTERRUPTED where the other side is gone). */
int packet_send(int channel, const void *data, size_t size, const int *fds, size_t fd_count,
		struct error **err);

/* The same without descriptors, but does not wait: 1 where there is no room for it now. */
int packet_offer(int channel, const void *data, size_t size, struct error **err);

/* Receives one packet into DATA (SIZE bytes long). Returns its length, 0 where the other side has
 * closed, -1 with ERR set. A packet that is longer than SIZE, or that carries more than
 * PACKET_FDS_MAX descriptors, is an ERR_INPUT, and its descriptors are closed.
 * FDS then belong to the caller; the unused ones are -1. */
ssize_t packet_receive(int channel, void *data, size_t size, int fds[static PACKET_FDS_MAX],
		       size_t *fd_count, struct error **err);
