/* proto/channel.c: malformed packets of every kind, none of which may leak a descriptor. */
#include "proto/channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tap.h"

static int ours = -1, theirs = -1;

static void channel_open(void)
{
	int pair[2] = { -1, -1 };

	closep(&ours);
	closep(&theirs);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		perror("socketpair");
	ours = pair[0];
	theirs = pair[1];
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* As packet_send, but without its limits: as an attacker would send. */
static bool send_raw(const void *data, size_t size, size_t fd_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	int *fds = (int *)(void *)CMSG_DATA(&control.header);

	if (fd_count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (size_t i = 0; i < fd_count; i++)
			fds[i] = STDERR_FILENO;
	}
	return sendmsg(ours, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

static void check_good(size_t size, size_t fd_count)
{
	static char data[PACKET_MAX], back[PACKET_MAX];
	_cleanup_error_ struct error *err = NULL;
	int fds[PACKET_FDS_MAX] = { 0, 1, 2, 0 }, got[PACKET_FDS_MAX];
	size_t count = 99;
	ssize_t n;
	bool good = true;

	memset(data, (int)('a' + size % 7), size);
	channel_open();
	tap_check(packet_send(ours, data, size, fds, fd_count, &err) == 0,
		  "send %zu bytes with %zu descriptors", size, fd_count);
	n = packet_receive(theirs, back, sizeof(back), got, &count, &err);
	tap_check(n == (ssize_t)size && count == fd_count && memcmp(data, back, size) == 0,
		  "receive %zu bytes with %zu descriptors", size, fd_count);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++) {
		if (i < fd_count)
			good = good && fcntl(got[i], F_GETFD) == FD_CLOEXEC;
		else
			good = good && got[i] == -1;
		closep(&got[i]);
	}
	tap_check(good, "%zu descriptors arrive close-on-exec, the others are -1", fd_count);
}

static void check_refused(const char *what, size_t size, size_t fd_count, size_t room)
{
	static char data[PACKET_MAX * 2], back[PACKET_MAX];
	_cleanup_error_ struct error *err = NULL;
	int got[PACKET_FDS_MAX];
	size_t count = 99;
	unsigned before;
	ssize_t n;
	bool cleared = true;

	channel_open();
	before = open_descriptors();
	tap_check(send_raw(data, size, fd_count), "%s: sent", what);
	n = packet_receive(theirs, back, room, got, &count, &err);
	tap_check(n == -1 && err && err->code == ERR_INPUT, "%s: is refused as malformed", what);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		cleared = cleared && got[i] == -1;
	tap_check(count == 0, "%s: no descriptor is handed out", what);
	tap_check(cleared, "%s: all of fds[] are -1", what);
	tap_check(open_descriptors() == before, "%s: no descriptor stays open", what);
	error_free(&err);
	tap_check(packet_send(ours, "next", 4, NULL, 0, &err) == 0 &&
			  packet_receive(theirs, back, sizeof(back), got, &count, &err) == 4 &&
			  memcmp(back, "next", 4) == 0,
		  "%s: the next packet is received", what);
}

static void check_limits_of_send(void)
{
	static char data[PACKET_MAX + 1];
	int fds[PACKET_FDS_MAX + 1] = { 0 };
	_cleanup_error_ struct error *err = NULL;

	channel_open();
	tap_check(packet_send(ours, data, sizeof(data), NULL, 0, &err) == -1 && err &&
			  err->code == ERR_INPUT,
		  "a packet over the limit is not sent");
	error_free(&err);
	tap_check(packet_send(ours, data, 1, fds, PACKET_FDS_MAX + 1, &err) == -1 && err &&
			  err->code == ERR_INPUT,
		  "a packet with too many descriptors is not sent");
	error_free(&err);
	fds[0] = -1;
	tap_check(packet_send(ours, data, 1, fds, 1, &err) == -1 && err,
		  "a packet with a closed descriptor is not sent");
}

static void check_closed_peer(void)
{
	_cleanup_error_ struct error *err = NULL;
	int got[PACKET_FDS_MAX];
	char back[16];
	size_t count = 99;

	channel_open();
	tap_check(packet_send(ours, "last", 4, NULL, 0, &err) == 0, "a packet before the end");
	closep(&ours);
	ours = -1;
	tap_check(packet_receive(theirs, back, sizeof(back), got, &count, &err) == 4,
		  "it is received after the end");
	tap_check(packet_receive(theirs, back, sizeof(back), got, &count, &err) == 0 && !err,
		  "the end is not an error");
	tap_check(packet_send(theirs, "x", 1, NULL, 0, &err) == -1 && err &&
			  err->code == ERR_INTERRUPTED,
		  "sending to a closed peer gives ERR_INTERRUPTED without SIGPIPE");
}

/* Progress messages must not wait for the peer. */
static void check_offer(void)
{
	static char data[PACKET_MAX];
	_cleanup_error_ struct error *err = NULL;
	int got[PACKET_FDS_MAX], r;
	unsigned offered = 0;
	size_t count;

	channel_open();
	while ((r = packet_offer(ours, data, sizeof(data), &err)) == 0 && offered < 1000)
		offered++;
	tap_check(r == 1 && offered > 0 && !err, "a full socket after %u packets is not an error",
		  offered);
	tap_check(packet_receive(theirs, data, sizeof(data), got, &count, &err) > 0 &&
			  packet_offer(ours, data, sizeof(data), &err) == 0,
		  "a received packet makes space");
	closep(&theirs);
	theirs = -1;
	tap_check(packet_offer(ours, data, 1, &err) == -1 && err && err->code == ERR_INTERRUPTED,
		  "a missing peer is an error");
}

/* The kernel adds the sender's credentials if the socket option asks for them. */
static void check_credentials(void)
{
	_cleanup_error_ struct error *err = NULL;
	const int on = 1;
	int got[PACKET_FDS_MAX];
	char back[16];
	size_t count = 99;

	channel_open();
	tap_check(setsockopt(theirs, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
			  packet_send(ours, "x", 1, NULL, 0, &err) == 0 &&
			  packet_receive(theirs, back, sizeof(back), got, &count, &err) == 1 &&
			  count == 0 && got[0] == -1,
		  "credentials are no descriptors");
}

static void check_no_channel(void)
{
	_cleanup_error_ struct error *err = NULL;
	int got[PACKET_FDS_MAX] = { 0 };
	char back[16];
	size_t count = 99;

	tap_check(packet_receive(-1, back, sizeof(back), got, &count, &err) == -1 && err &&
			  err->code == ERR_SYSTEM && count == 0 && got[0] == -1,
		  "something other than a channel gives an error and no descriptor");
}

/* Closing a socket with unread data makes the peer's call fail with ECONNRESET. */
static void check_reset_peer(void)
{
	_cleanup_error_ struct error *err = NULL;
	int got[PACKET_FDS_MAX];
	char back[16];
	size_t count = 99;

	channel_open();
	packet_send(theirs, "unread", 6, NULL, 0, &err);
	closep(&ours);
	ours = -1;
	tap_check(packet_receive(theirs, back, sizeof(back), got, &count, &err) == 0 && !err,
		  "a reset channel ends like a closed one");
}

int main(void)
{
	check_good(1, 0);
	check_good(1, 1);
	check_good(5000, PACKET_FDS_MAX);
	check_good(PACKET_MAX, 2);
	check_refused("one extra descriptor", 4, PACKET_FDS_MAX + 1, PACKET_MAX);
	check_refused("twenty descriptors", 4, 20, PACKET_MAX);
	check_refused("packet over 64 KiB", PACKET_MAX + 1, 0, PACKET_MAX);
	check_refused("packet over 64 KiB with descriptors", PACKET_MAX + 1, PACKET_FDS_MAX,
		      PACKET_MAX);
	check_refused("packet longer than the room for it", 100, 1, 10);
	check_limits_of_send();
	check_closed_peer();
	check_reset_peer();
	check_offer();
	check_credentials();
	check_no_channel();
	return tap_done();
}
