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

#include "helper/jailer/mount_api.h"
#include "lib/beneath.h"

#define DEVICES 6
static const char *const devices[DEVICES] = { "null", "zero", "full", "random", "urandom", "tty" };

#define TREE_MOUNT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define READ_ONLY (MOUNT_ATTR_RDONLY | TREE_MOUNT)

static int mounts_set_attributes(int mount, uint64_t attributes, unsigned flags)
{
	struct mount_attr attr = { .attr_set = attributes };

	return mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr));
}

/* A detached copy of the mount at PATH. */
static int copy_mount(const char *path, uint64_t attributes, unsigned flags, struct error **err)
{
	_cleanup_close_ int fd =
		open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	if (fd < 0 || mounts_set_attributes(fd, attributes, flags & AT_RECURSIVE) < 0)
		return error_errno(err, ERR_HOST, "cannot mount %s in the jail",
				   strcmp(path, ".") == 0 ? "the tree" : path);
	return steal_fd(&fd);
}

/* Creates a detached filesystem. */
static int new_mount(const char *type, const char *mode, unsigned attributes, struct error **err)
{
	_cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
	int fd = -1;

	if (context >= 0 &&
	    (!mode || fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) == 0) &&
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return error_errno(
			err, ERR_HOST,
			"cannot mount a new %s in the jail; in a container that masks parts of "
			"/proc, the kernel forbids it: run the container with an unmasked /proc",
			type);
	return fd;
}

static int attach(int mount, int root, const char *name, bool dir, struct error **err)
{
	_cleanup_close_ int target = -1;

	if (dir)
		mkdirat(root, name, 0755);
	else
		closep(&(int){ openat(root, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0666) });
	target = tree_open_beneath(root, name, O_PATH | O_NOFOLLOW | (dir ? O_DIRECTORY : 0), 0);
	if (target < 0 || move_mount(mount, "", target, "",
				     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount /%s in the jail", name);
	return 0;
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

static int attach_tmpfs(int root, const char *name, const char *mode, struct error **err)
{
	_cleanup_close_ int fd =
		new_mount("tmpfs", mode, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	return fd < 0 ? -1 : attach(fd, root, name, true, err);
}

static int fill_dev(int root, const int nodes[DEVICES], struct error **err)
{
	_cleanup_close_ int dev =
		new_mount("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	if (dev < 0 || attach(dev, root, "dev", true, err) < 0)
		return -1;
	for (size_t i = 0; i < DEVICES; i++)
		if (attach(nodes[i], dev, devices[i], false, err) < 0)
			return -1;
	if (symlinkat("/proc/self/fd", dev, "fd") < 0 || symlinkat("fd/0", dev, "stdin") < 0 ||
	    symlinkat("fd/1", dev, "stdout") < 0 || symlinkat("fd/2", dev, "stderr") < 0 ||
	    mkdirat(dev, "shm", 01777) < 0 || fchmodat(dev, "shm", 01777, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot fill /dev of the jail");
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
	return fd < 0 ? -1 : attach(fd, root, name, S_ISDIR(st.st_mode), err);
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
	if (place->mount < 0 || mounts_set_attributes(place->mount, TREE_MOUNT, AT_RECURSIVE) < 0)
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
		new_mount("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	if (root < 0 || cover_dir(root, err) < 0 || mounts_take_host(root, err) < 0 ||
	    (staging >= 0 && attach(staging, root, "staging", true, err) < 0))
		return -1;
	return steal_fd(&root);
}
/* The files of /proc that describe the host, or are for the host's root only. All are covered. */
static const char *const masked[] = {
	"acpi",	 "asound",	"bootconfig", "cmdline",    "interrupts",
	"kcore", "key-users",	"keys",	      "locks",	    "latency_stats",
	"scsi",	 "sched_debug", "swaps",      "timer_list", "timer_stats",
};
static const char *const fixed[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };

/* Creates an empty file and an empty directory to cover others with, detached and read-only. */
static int make_covers(struct error **err)
{
	_cleanup_close_ int fd = new_mount("tmpfs", "0755", TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);

	if (fd < 0)
		return -1;
	closep(&(int){ openat(fd, "file", O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0444) });
	if (mkdirat(fd, "directory", 0555) < 0 ||
	    mounts_set_attributes(fd, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make covers for the jail's /proc");
	return steal_fd(&fd);
}

/* Covers /proc/NAME by something empty or, if COVERS is -1, by itself, read-only. */
static int cover_part(int root, int covers, const char *name, struct error **err)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	_cleanup_close_ int part = -1, cover = -1;
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "proc/%s", name);
	part = tree_open_beneath(root, path, O_PATH | O_NOFOLLOW, 0);
	/* Not every kernel has all of them. */
	if (part < 0 && errno == ENOENT)
		return 0;
	if (part >= 0 && fstat(part, &st) == 0)
		cover = covers < 0 ? open_tree(part, "", flags | AT_EMPTY_PATH)
				   : open_tree(covers, S_ISDIR(st.st_mode) ? "directory" : "file",
					       flags);
	if (cover < 0 || mounts_set_attributes(cover, MOUNT_ATTR_RDONLY, 0) < 0 ||
	    move_mount(cover, "", part, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot cover /%s in the jail", path);
	return 0;
}

static int mask_proc(int root, int covers, struct error **err)
{
	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++)
		if (cover_part(root, covers, masked[i], err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (cover_part(root, -1, fixed[i], err) < 0)
			return -1;
	return 0;
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

/* Mounts everything else in the jail's ROOT. The process is already in it. */
static int fill_root(int root, int proc, int covers, bool covered, const int nodes[DEVICES],
		     struct error **err)
{
	/* Covers must be attached before they can be copied: if nowhere else, below /proc. */
	if ((!covered && attach(covers, root, "proc", true, err) < 0) ||
	    attach(proc, root, "proc", true, err) < 0 || mask_proc(root, covers, err) < 0 ||
	    fill_dev(root, nodes, err) < 0 || attach_tmpfs(root, "tmp", "1777", err) < 0)
		return -1;
	return attach_tmpfs(root, "run", "0755", err);
}

static int take_devices(int nodes[DEVICES], struct error **err)
{
	char path[32];

	for (size_t i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
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
		root = new_mount("tmpfs", "0755", TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);
	if (root < 0 || cover_dir(root, err) < 0 || attach(tree, root, "tree", true, err) < 0 ||
	    (source >= 0 && attach(source, root, "source", true, err) < 0))
		return -1;
	if (mounts_set_attributes(root, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the jail's root read-only");
	return pivot(root, err);
}

int mounts_enter(const struct jail_spec *spec, struct jail_place *place, struct error **err)
{
	_cleanup_close_ int proc = -1, tool = -1, covers = -1;
	bool covered = *place->name;
	int nodes[DEVICES], root, r = -1;

	if (spec->kind == JAIL_WORK)
		return enter_work(spec, err);
	if (spec->root < 0)
		place->mount = -1;
	else if (!covered)
		place->mount = copy_mount(".", spec->read_only ? READ_ONLY : TREE_MOUNT, 0, err);
	else if (place->tree < 0 && take_above(spec, place, err) < 0)
		return -1;
	if (spec->root >= 0 && place->mount < 0)
		return -1;
	/* While the host's /proc is visible: the kernel requires that for a new one. */
	proc = new_mount("proc", NULL, TREE_MOUNT | MOUNT_ATTR_NOEXEC, err);
	covers = proc < 0 ? -1 : make_covers(err);
	if (covers < 0 || take_devices(nodes, err) < 0)
		return -1;
	root = covered ? place->tree : place->mount;
	if (spec->kind == JAIL_TOOL)
		root = tool = compose_tool_root(place->mount, err); /* NOLINT: for its cleanup */
	else if (!covered && cover_dir(root, err) < 0)
		root = -1;
	if (root >= 0)
		r = covered ? mounts_enter_tree(place, covers, err) : pivot(root, err);
	if (r == 0)
		r = fill_root(root, proc, covers, covered, nodes, err);
	for (size_t i = 0; i < DEVICES; i++)
		close(nodes[i]);
	return r;
}
