#include "frontend/vm/userns_make.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "lib/cleanup.h"

static int write_text(const char *file, const char *text)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : -1;
}

int userns_make(bool *made)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	*made = unshare(CLONE_NEWUSER) == 0;
	/* AppArmor may allow the unshare but then deny every capability. */
	return *made && write_text("/proc/self/setgroups", "deny") == 0 &&
			       write_text("/proc/self/uid_map", uids) == 0 &&
			       write_text("/proc/self/gid_map", gids) == 0
		       ? 0
		       : -1;
}
