/* Removes a finished rootfs. */
#include <fcntl.h>
#include <unistd.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/tree_tasks.h"

int handle_remove(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		  struct error **err)
{
	const char *name = t->remove.name;
	_cleanup_close_ int tree = -1;
	char trash[ROOTFS_NAME_MAX + 32];

	(void)out;
	if (remove_stale(s, fds[0], TRASH_PREFIX, name, err) < 0)
		return -1;
	if (t->remove.stale)
		return remove_stale(s, fds[0], STAGING_PREFIX, name, err);
	if (claim_rootfs(s, fds[0], name, &tree, err) < 0)
		return -1;
	/* Rename it first: nobody must ever find half a tree under its name. */
	snprintf(trash, sizeof(trash), "%s%s", TRASH_PREFIX, name);
	if (renameat2(fds[0], name, fds[0], trash, RENAME_NOREPLACE) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove rootfs %s", name);
	if (!tree_is(fds[0], trash, tree)) {
		renameat2(fds[0], trash, fds[0], name, RENAME_NOREPLACE);
		return error_set(err, ERR_BUSY,
				 "%s was replaced in the meantime; run the command again", name);
	}
	/* Not even after a power failure: filesystems may write changes of other directories to
	 * disk in any order. */
	if (fsync(fds[0]) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove rootfs %s", name);
	return tree_remove(s, fds[0], trash, tree, err);
}
