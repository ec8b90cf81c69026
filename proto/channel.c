#include "proto/channel.h"

#include <stdint.h>

#include <string.h>
#include <sys/socket.h>

/* Has no room for more descriptors than are allowed: the kernel drops those, and says so. */
union control_message {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
};
_Static_assert(CMSG_SPACE(PACKET_FDS_MAX * sizeof(int)) == CMSG_LEN(PACKET_FDS_MAX * sizeof(int)),
	       "padding would be room for one more");

static int send_packet(int channel, const void *data, size_t size, const int *fds, size_t fd_count,
		       int flags, struct error **err)
{
	union control_message control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (size > PACKET_MAX || fd_count > PACKET_FDS_MAX)
		return error_set(err, ERR_INPUT,
				 "cannot send a message of %zu bytes with %zu descriptors: "
				 "a packet holds at most %d and %d",
				 size, fd_count, PACKET_MAX, PACKET_FDS_MAX);
	if (fd_count) {
		struct cmsghdr *header = &control.header;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	if (RETRY_ON_EINTR(sendmsg(channel, &message, MSG_NOSIGNAL | flags)) >= 0)
		return 0;
	if (errno == EAGAIN && flags)
		return 1;
	if (errno == EPIPE || errno == ECONNRESET)
		return error_set(err, ERR_INTERRUPTED, "the peer closed the channel");
	return error_errno(err, ERR_SYSTEM, "cannot send a message of %zu bytes", size);
}

int packet_pair(int ends[static 2], struct error **err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	return 0;
}

int packet_send(int channel, const void *data, size_t size, const int *fds, size_t fd_count,
		struct error **err)
{
	return send_packet(channel, data, size, fds, fd_count, 0, err);
}

int packet_offer(int channel, const void *data, size_t size, struct error **err)
{
	return send_packet(channel, data, size, NULL, 0, MSG_DONTWAIT, err);
}

ssize_t packet_receive(int channel, void *data, size_t size, int fds[static PACKET_FDS_MAX],
		       size_t *fd_count, struct error **err)
{
	union control_message control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length;

	*fd_count = 0;
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		fds[i] = -1;
	length = RETRY_ON_EINTR(recvmsg(channel, &message, MSG_CMSG_CLOEXEC));
	if (length < 0 && errno == ECONNRESET)
		return 0;
	if (length < 0)
		return error_errno(err, ERR_SYSTEM, "cannot receive a message");
	if (message.msg_controllen >= CMSG_LEN(0) && control.header.cmsg_level == SOL_SOCKET &&
	    control.header.cmsg_type == SCM_RIGHTS) {
		*fd_count = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(&control.header), *fd_count * sizeof(int));
	}
	if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return length;
	for (size_t i = 0; i < *fd_count; i++) {
		closep(&fds[i]);
		fds[i] = -1;
	}
	*fd_count = 0;
	if (message.msg_flags & MSG_CTRUNC)
		return error_set(err, ERR_INPUT, "message with more than %d descriptors",
				 PACKET_FDS_MAX);
	return error_set(err, ERR_INPUT, "message longer than %zu bytes", size);
}
