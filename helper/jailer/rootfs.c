#include "helper/jailer/rootfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "helper/jailer/tree_tasks.h"
#include "lib/error_wrap.h"
#include "lib/owned.h"

/* Not in any header of the kernel. */
#define BCACHEFS_MAGIC 0xca451a4e
#define ZFS_MAGIC 0x2fc12fc1

int remove_stale(const struct server *s, int parent, const char *prefix, const char *name,
		 struct error **err)
{
	char hidden[ROOTFS_NAME_MAX + 32];
	_cleanup_close_ int fd = -1;
	struct stat st;

	snprintf(hidden, sizeof(hidden), "%s%s", prefix, name);
	fd = tree_open_own(parent, hidden, O_RDONLY | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat %s", hidden);
	if (st.st_uid != 0 && st.st_uid != CALLER_ID)
		return error_set(err, ERR_REFUSED, "%s was not made by rootlet; remove it yourself",
				 hidden);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY,
				 "another rootlet is working on %s; wait until it ends", name);
	/* For a moment after its creation, it is empty and belongs to the caller. */
	if (st.st_uid == CALLER_ID)
		return unlinkat(parent, hidden, AT_REMOVEDIR) < 0
			       ? error_errno(err, ERR_REFUSED, "cannot remove %s", hidden)
			       : 0;
	/* Trees are made one directory further down. So this is a finished rootfs, renamed by a
	 * caller who may make rootfs but not delete them. */
	if (strcmp(prefix, STAGING_PREFIX) == 0 && is_rootfs(fd))
		return error_set(err, ERR_REFUSED, "%s is a rootfs; rename it", hidden);
	return tree_remove(s, parent, hidden, fd, err);
}

/* Only the range's first id, outside of any jail, can put anything into a closed directory. Every
 * tree has an /etc. If its users remove that, the directory can at most pass for another tree of
 * theirs. */
int rootfs_tree(int dir, bool *closed)
{
	_cleanup_close_ int etc = tree_open_own(dir, "etc", O_PATH);
	_cleanup_close_ int tree = -1;

	if (etc < 0 && errno == ENOENT)
		tree = tree_open_own(dir, CLOSED_TREE, O_RDONLY | O_DIRECTORY);
	if (closed)
		*closed = tree >= 0;
	return tree >= 0 ? steal_fd(&tree) : tree_open_own(dir, ".", O_RDONLY | O_DIRECTORY);
}

bool is_rootfs(int dir)
{
	_cleanup_close_ int tree = rootfs_tree(dir, NULL);
	_cleanup_close_ int manifest = -1;
	struct stat st;

	if (tree >= 0)
		manifest =
			tree_open_beneath(tree, OWN_MANIFEST, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	return manifest >= 0 && fstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0;
}

/* On a filesystem of the caller's own program, or of another host, any file can claim any owner. An
 * overlay reports what its layers do, but it can only be root's: a caller's own is in a mount
 * namespace of their own, from which no descriptor is accepted. The same holds for a tmpfs. */
bool keeps_owners(const struct server *s, int dir)
{
	static const __fsword_t kept[] = { EXT4_SUPER_MAGIC,  XFS_SUPER_MAGIC,
					   BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
					   BCACHEFS_MAGIC,    ZFS_MAGIC,
					   TMPFS_MAGIC,	      OVERLAYFS_SUPER_MAGIC };
	struct statfs fs;

	if (s->session->mode != MODE_INSTALLED)
		return true;
	if (fstatfs(dir, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (fs.f_type == kept[i])
			return true;
	return false;
}

bool is_sound_rootfs(int dir)
{
	_cleanup_close_ int tree = rootfs_tree(dir, NULL);
	_cleanup_close_ int own = -1, manifest = -1;

	if (tree >= 0)
		own = tree_open_own(tree, "etc/rootlet", O_PATH | O_DIRECTORY);
	if (own >= 0)
		manifest = tree_open_own(own, "manifest.json", O_PATH);
	return owned_by(dir, S_IFDIR, 0) && owned_by(tree, S_IFDIR, 0) &&
	       owned_by(own, S_IFDIR, 0) && owned_by(manifest, S_IFREG, 0);
}

int claim_rootfs(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err)
{
	_cleanup_close_ int fd = tree_open_own(parent, name, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_REFUSED,
				   "cannot open rootfs %s", name);
	if (!is_rootfs(fd))
		return error_set(err, ERR_REFUSED,
				 "%s is not a rootfs made by rootlet: it has no %s, or "
				 "belongs to another range of ids",
				 name, OWN_MANIFEST);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "rootfs %s is in use; stop what runs in it", name);
	if (tree_check_mounts(s, fd, err) < 0)
		return error_wrap(err, "rootfs %s", name);
	*tree = steal_fd(&fd);
	return 0;
}
