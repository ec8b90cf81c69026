#include "helper/jailer/mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "helper/jailer/mount_parts.h"
#include "lib/beneath.h"

#define TREE_MOUNT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define READ_ONLY (MOUNT_ATTR_RDONLY | TREE_MOUNT)

/* A detached copy of the mount at PATH. */
static int copy_mount(const char *path, uint64_t attributes, unsigned flags, struct error **err)
{
	_cleanup_close_ int fd =
		open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	if (fd < 0 || mount_restrict(fd, attributes, flags & AT_RECURSIVE) < 0)
		return error_errno(err, ERR_HOST, "cannot mount %s in the jail",
				   strcmp(path, ".") == 0 ? "the tree" : path);
	return steal_fd(&fd);
}

/* Pivots into ROOT, which covers the working directory, and detaches the old root. After that,
 * nothing on the host can be named. */
static int pivot(int root, struct error **err)
{
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the jail's root");
	return 0;
}

/* On a merged-/usr host, /bin and the like are links into /usr; elsewhere they are directories. */
static int take_host_part(int root, const char *name, struct error **err)
{
	char path[32], target[64];
	_cleanup_close_ int fd = -1;
	ssize_t length;
	struct stat st;

	snprintf(path, sizeof(path), "/%s", name);
	if (lstat(path, &st) < 0)
		return 0;
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		if (symlinkat(target, root, name) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot link %s in the jail", path);
		return 0;
	}
	fd = copy_mount(path, READ_ONLY, AT_RECURSIVE, err);
	return fd < 0 ? -1 : mount_attach(fd, root, name, S_ISDIR(st.st_mode), err);
}

static int mounts_take_host(int root, struct error **err)
{
	static const char *const parts[] = { "usr",
					     "bin",
					     "sbin",
					     "lib",
					     "lib32",
					     "lib64",
					     "libx32",
					     "etc/alternatives",
					     "etc/ld.so.cache" };

	mkdirat(root, "etc", 0755);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (take_host_part(root, parts[i], err) < 0)
			return -1;
	return 0;
}

/* A mount must be attached somewhere before anything can be mounted on it. */
static int cover_dir(int root, struct error **err)
{
	if (move_mount(root, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount the jail's root");
	return 0;
}

/* A list of mounts shows the path of each mount's root within its filesystem, unless the process's
 * root is deeper inside that mount. So the jail mounts the directory above the tree, and
 * mounts_enter_tree() covers it, so that only the tree can be reached. A tree that is itself a
 * mount point has no directory above it in its mount. */
int mounts_choose(const struct jail_spec *spec, struct jail_place *place, struct error **err)
{
	_cleanup_close_ int above = -1;
	char link[32], path[PATH_MAX];
	const char *name = "";
	struct statx st;
	ssize_t length;

	*place = (struct jail_place){ .mount = -1, .tree = -1 };
	/* The jail's root covers the working directory: /proc will do, as the jail gets its own. */
	if (spec->root < 0)
		return chdir("/proc") < 0 ? error_errno(err, ERR_SYSTEM, "cannot enter /proc") : 0;
	if (statx(spec->root, "", AT_EMPTY_PATH, 0, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat the rootfs");
	if (spec->kind == JAIL_TREE && !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", spec->root);
		length = readlink(link, path, sizeof(path) - 1);
		path[length < 0 ? 0 : length] = '\0';
		name = strrchr(path, '/');
		above = openat(spec->root, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (!name || above < 0)
			return error_errno(err, ERR_SYSTEM,
					   "cannot determine the name of the rootfs");
		name++;
	}
	snprintf(place->name, sizeof(place->name), "%s", name);
	if (fchdir(above < 0 ? spec->root : above) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the rootfs");
	return 0;
}

/* Opens the tree by its name in the mount of the directory above it. */
static int find_tree(const struct jail_spec *spec, const struct jail_place *place,
		     struct error **err)
{
	_cleanup_close_ int fd =
		tree_open_own(place->mount, place->name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	struct stat is, should;

	if (fd < 0 || fstat(fd, &is) < 0 || fstat(spec->root, &should) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the rootfs in its directory");
	if (is.st_dev != should.st_dev || is.st_ino != should.st_ino)
		return error_set(err, ERR_BUSY,
				 "the rootfs was moved in the meantime; run the command again");
	return steal_fd(&fd);
}

static int take_above(const struct jail_spec *spec, struct jail_place *place, struct error **err)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	place->mount = open_tree(AT_FDCWD, ".", flags);
	/* There are mounts below it, and no copy of this namespace may uncover what they hide. */
	if (place->mount < 0 && errno == EINVAL)
		place->mount = open_tree(AT_FDCWD, ".", flags | AT_RECURSIVE);
	if (place->mount < 0 || mount_restrict(place->mount, TREE_MOUNT, AT_RECURSIVE) < 0)
		return error_errno(err, ERR_HOST, "cannot mount the rootfs in the jail");
	place->tree = find_tree(spec, place, err);
	return place->tree < 0 ? -1 : cover_dir(place->mount, err);
}

static int make_private(struct error **err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the jail's mounts private");
	return 0;
}

int mounts_take(const struct jail_spec *spec, struct jail_place *place, struct error **err)
{
	if (spec->source > 0)
		return 0;
	if (make_private(err) < 0)
		return -1;
	/* Only the jail's root can enter a staging directory: mounts_enter() does the rest then. */
	if (!*place->name || syscall(SYS_faccessat2, AT_FDCWD, ".", X_OK, AT_EACCESS) < 0)
		return 0;
	return take_above(spec, place, err);
}

/* Builds the tool jail's root: the host's /usr, read-only, and the user's staging directory, if
 * there is one. */
static int compose_tool_root(int staging, struct error **err)
{
	_cleanup_close_ int root =
		mount_new("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	if (root < 0 || cover_dir(root, err) < 0 || mounts_take_host(root, err) < 0 ||
	    (staging >= 0 && mount_attach(staging, root, "staging", true, err) < 0))
		return -1;
	return steal_fd(&root);
}
/* Creates an empty file and an empty directory to cover others with, detached and read-only. */
static int make_covers(struct error **err)
{
	_cleanup_close_ int fd = mount_new("tmpfs", "0755", TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);

	if (fd < 0)
		return -1;
	closep(&(int){ openat(fd, "file", O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0444) });
	if (mkdirat(fd, "directory", 0555) < 0 || mount_restrict(fd, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make covers for the jail's /proc");
	return steal_fd(&fd);
}

/* Like pivot(), but into the tree below PLACE's mount. The jail may have no right to enter the root
 * of that mount, so name it by its descriptor and put the old root where the tree is. Then mount
 * COVERS over the directory that holds the tree: no path leads there any longer, not even from
 * outside of the new root. */
static int mounts_enter_tree(const struct jail_place *place, int covers, struct error **err)
{
	_cleanup_close_ int copy = -1;
	char mount[32], tree[32];

	snprintf(mount, sizeof(mount), "/proc/self/fd/%d", place->mount);
	snprintf(tree, sizeof(tree), "/proc/self/fd/%d", place->tree);
	if (syscall(SYS_pivot_root, mount, tree) < 0 || fchdir(place->tree) < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chroot(".") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the rootfs");
	/* Mounts inside the tree must stay out of the jail. If there are any, this copy fails. */
	copy = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (copy < 0)
		return error_set(err, ERR_HOST,
				 "cannot mount the rootfs in the jail: something is mounted in "
				 "it; find it with findmnt, unmount it and run the command again");
	if (move_mount(covers, "", place->mount, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the rootfs");
	return 0;
}

static int take_devices(int nodes[JAIL_DEVICES], struct error **err)
{
	char path[32];

	for (size_t i = 0; i < JAIL_DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s", jail_devices[i]);
		nodes[i] = copy_mount(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, err);
		if (nodes[i] < 0)
			return -1;
	}
	return 0;
}

/* Takes the source of two directories that were opened elsewhere. When the kernel copies a mount
 * namespace, it carries over only the working directory. So a child process makes a copy with the
 * source as its working directory, and takes a detached mount of it from that copy. It puts the
 * mount into the descriptor that both processes share. */
static int take_source(int source, struct error **err)
{
	_cleanup_close_ int fd = open("/", O_PATH | O_CLOEXEC);
	int status, mount;
	pid_t pid;

	if (fd < 0 || fchdir(source) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the tree to be cloned");
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | CLONE_FILES | SIGCHLD, NULL, NULL, NULL,
			     NULL);
	if (pid == 0) {
		mount = copy_mount(".", READ_ONLY | MOUNT_ATTR_NOEXEC, 0, NULL);
		_exit(mount >= 0 && dup3(mount, fd, O_CLOEXEC) == fd ? 0 : 1);
	}
	if (pid < 0 || RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process");
	if (status != 0)
		return error_set(
			err, ERR_HOST,
			"cannot mount the tree to be cloned in the jail: something is mounted in "
			"it; find it with findmnt, unmount it and run the command again");
	return steal_fd(&fd);
}

/* A tree that is only read may have mounts in it: the worker then reports them. */
static int take_work_tree(bool read_only, struct error **err)
{
	const uint64_t attributes = (read_only ? READ_ONLY : TREE_MOUNT) | MOUNT_ATTR_NOEXEC;
	_cleanup_error_ struct error *why = NULL;
	int mount = copy_mount(".", attributes, 0, &why);

	if (mount >= 0)
		return mount;
	if (why && why->number == EINVAL && read_only)
		return copy_mount(".", attributes, AT_RECURSIVE, err);
	if (why && why->number == EINVAL)
		return error_set(err, ERR_BUSY,
				 "something is mounted in the rootfs; find it with findmnt and "
				 "remove it with umount");
	return why ? error_set(err, why->code, "%s", why->message) : -1;
}

static int enter_work(const struct jail_spec *spec, struct error **err)
{
	_cleanup_close_ int source = -1, tree = -1, root = -1;

	if (spec->source > 0) {
		source = take_source(spec->source, err);
		if (source < 0)
			return -1;
		if (fchdir(spec->root) < 0 || unshare(CLONE_NEWNS) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make the jail's mounts");
		if (make_private(err) < 0)
			return -1;
	}
	tree = take_work_tree(spec->read_only, err);
	if (tree >= 0)
		root = mount_new("tmpfs", "0755", TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);
	if (root < 0 || cover_dir(root, err) < 0 ||
	    mount_attach(tree, root, "tree", true, err) < 0 ||
	    (source >= 0 && mount_attach(source, root, "source", true, err) < 0))
		return -1;
	if (mount_restrict(root, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the jail's root read-only");
	return pivot(root, err);
}

int mounts_enter(const struct jail_spec *spec, struct jail_place *place, struct jail_mounts *m,
		 struct error **err)
{
	*m = (struct jail_mounts){ .root = -1, .covered = *place->name };
	if (spec->kind == JAIL_WORK)
		return enter_work(spec, err);
	if (spec->root < 0)
		place->mount = -1;
	else if (!m->covered)
		place->mount = copy_mount(".", spec->read_only ? READ_ONLY : TREE_MOUNT, 0, err);
	else if (place->tree < 0 && take_above(spec, place, err) < 0)
		return -1;
	if (spec->root >= 0 && place->mount < 0)
		return -1;
	/* While the host's /proc is visible: the kernel requires that for a new one. */
	m->proc = mount_new("proc", NULL, TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);
	m->covers = m->proc < 0 ? -1 : make_covers(err);
	if (m->covers < 0 || take_devices(m->devices, err) < 0)
		return -1;
	m->root = m->covered ? place->tree : place->mount;
	if (spec->kind == JAIL_TOOL)
		m->root = compose_tool_root(place->mount, err);
	else if (!m->covered && cover_dir(m->root, err) < 0)
		return -1;
	if (m->root < 0)
		return -1;
	return m->covered ? mounts_enter_tree(place, m->covers, err) : pivot(m->root, err);
}
