/* rootlet-userns: makes the user namespace of a VM, in which the caller is root and nobody else
 * exists, and hands it over on descriptor 3. Linked statically, so that an AppArmor profile can let
 * it make one, and not rootlet, into which its caller can load code: see SECURITY.md. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "proto/channel.h"

#define CHANNEL 3

static int write_text(const char *file, const char *text)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : -1;
}

static int make(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	/* AppArmor may let the first happen, and then takes every capability away. */
	if (unshare(CLONE_NEWUSER) < 0 || write_text("/proc/self/setgroups", "deny") < 0 ||
	    write_text("/proc/self/uid_map", uids) < 0 ||
	    write_text("/proc/self/gid_map", gids) < 0)
		return -1;
	return open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
}

int main(void)
{
	_cleanup_close_ int fd = make();
	int number = fd < 0 ? errno : 0;

	return packet_send(CHANNEL, &number, sizeof(number), &fd, fd < 0 ? 0 : 1, NULL) < 0;
}
