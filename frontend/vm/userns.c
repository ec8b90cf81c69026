#include "frontend/vm/userns.h"

#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "frontend/cli/paths.h"
#include "proto/channel.h"

#define CHANNEL_IN_PROGRAM 3

static int userns_start(const char *path, int channel, pid_t *child, struct error **err)
{
	char *const argv[] = { (char *)(uintptr_t) "rootlet-userns", NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, channel, CHANNEL_IN_PROGRAM);
	r = posix_spawn(child, path, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	errno = r;
	return r == 0 ? 0 : error_errno(err, ERR_HOST, "cannot start %s", path);
}

/* Receives the program's only packet: an errno, or 0 and the namespace. */
static int receive(int channel, struct error **err)
{
	int fds[PACKET_FDS_MAX], number;
	size_t count = 0;
	ssize_t size = packet_receive(channel, &number, sizeof(number), fds, &count, err);

	if (size < 0)
		return -1;
	if (size == sizeof(number) && number == 0 && count == 1)
		return fds[0];
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return error_set(err, ERR_HOST,
			 "cannot make a user namespace for the VM: %s; see: rootlet doctor",
			 size == sizeof(number) ? strerror(number) : "rootlet-userns died");
}

int userns_open(struct error **err)
{
	_cleanup_free_ char *path = paths_userns(err);
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t child;
	int ends[2], fd;

	if (!path)
		return -1;
	if (packet_pair(ends, err) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	if (userns_start(path, theirs, &child, err) < 0)
		return -1;
	close(steal_fd(&theirs));
	fd = receive(ours, err);
	RETRY_ON_EINTR(waitpid(child, NULL, 0));
	return fd;
}
