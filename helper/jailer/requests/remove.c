/* Removes a finished rootfs. */
#include <fcntl.h>
#include <unistd.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/tree_tasks.h"

int handle_remove(struct server *s, struct request *request, struct error **err)
{
	const char *name = request->task->remove.name;
	const int parent = request->fds[0];
	_cleanup_close_ int tree = -1;
	char trash[ROOTFS_NAME_MAX + 32];

	if (remove_stale(s, parent, TRASH_PREFIX, name, err) < 0)
		return -1;
	if (request->task->remove.stale)
		return remove_stale(s, parent, STAGING_PREFIX, name, err);
	if (claim_rootfs(s, parent, name, &tree, err) < 0)
		return -1;
	/* Rename it first: nobody must ever find half a tree under its name. */
	snprintf(trash, sizeof(trash), "%s%s", TRASH_PREFIX, name);
	if (renameat2(parent, name, parent, trash, RENAME_NOREPLACE) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove rootfs %s", name);
	if (!tree_is(parent, trash, tree)) {
		renameat2(parent, trash, parent, name, RENAME_NOREPLACE);
		return error_set(err, ERR_BUSY,
				 "%s was replaced in the meantime; run the command again", name);
	}
	/* Not even after a power failure: filesystems may write changes of other directories to
	 * disk in any order. */
	if (fsync(parent) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove rootfs %s", name);
	return tree_remove(s, parent, trash, tree, err);
}
