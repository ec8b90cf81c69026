#include "policy/reopen.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "policy/canonical.h"

/* Since Linux 6.8, an id that is never reused. Older kernels ignore this bit and return an id that
 * another mount can get once this one is gone. Source: statx(2). */
#define MOUNT_ID_UNIQUE 0x4000u
#define MOUNT_IDS (STATX_MNT_ID | MOUNT_ID_UNIQUE)

/* Both are open, so neither mount can be gone and its id reused. */
static bool is_same_directory(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_BASIC_STATS | MOUNT_IDS, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_BASIC_STATS | MOUNT_IDS, &y) == 0 &&
	       x.stx_mask & MOUNT_IDS && (x.stx_mask & MOUNT_IDS) == (y.stx_mask & MOUNT_IDS) &&
	       x.stx_mnt_id == y.stx_mnt_id && x.stx_dev_major == y.stx_dev_major &&
	       x.stx_dev_minor == y.stx_dev_minor && x.stx_ino == y.stx_ino;
}

int directory_open(int fd, char path[static PATH_MAX], struct error **err)
{
	_cleanup_close_ int own = -1;
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	if (length <= 0)
		return error_errno(err, ERR_SYSTEM, "cannot determine the path of the directory");
	path[length] = '\0';
	if (*path == '/')
		own = directory_open_path(path, O_RDONLY | O_DIRECTORY);
	if (own < 0 || !is_same_directory(fd, own))
		return error_set(err, ERR_REFUSED,
				 "rootlet-helper does not find the directory at %s: it is on a "
				 "mount of another namespace, was moved, or cannot be read",
				 path);
	return steal_fd(&own);
}
