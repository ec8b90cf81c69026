#include "helper/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "helper/mount_api.h"

#define DEVICES 6
static const char *const devices[DEVICES] = { "null", "zero", "full", "random", "urandom", "tty" };

#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static int set_attributes(int mount, uint64_t attributes, unsigned flags)
{
	struct mount_attr attr = { .attr_set = attributes };

	return mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr));
}

/* A detached copy of the mount at PATH. */
static int copy_mount(const char *path, uint64_t attributes, unsigned flags, struct error **err)
{
	_cleanup_close_ int fd =
		open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	if (fd < 0 || set_attributes(fd, attributes, flags & AT_RECURSIVE) < 0)
		return error_errno(err, ERR_HOST, "cannot take %s into the jail", path);
	return steal_fd(&fd);
}

/* A detached new filesystem. */
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
			"cannot mount a %s of its own in the jail; a container that "
			"covers parts of /proc forbids it: run it with an unmasked /proc",
			type);
	return fd;
}

static int attach(int mount, int root, const char *name, bool folder, struct error **err)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC | (folder ? O_DIRECTORY : 0),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	_cleanup_close_ int target = -1;

	if (folder)
		mkdirat(root, name, 0755);
	else
		closep(&(int){ openat(root, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0666) });
	target = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	if (target < 0 || move_mount(mount, "", target, "",
				     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount /%s in the jail", name);
	return 0;
}

/* From a root that covers the working directory into it, then the old one away: nothing of the host
 * can be named any more. */
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

/* /bin and its like are links into /usr on a merged host; elsewhere folders of their own. */
static int take_usr_part(int root, const char *name, struct error **err)
{
	char path[16], target[64];
	_cleanup_close_ int fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/%s", name);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		if (symlinkat(target, root, name) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot link %s in the jail", path);
		return 0;
	}
	if (access(path, F_OK) < 0)
		return 0;
	fd = copy_mount(path, READ_ONLY, AT_RECURSIVE, err);
	return fd < 0 ? -1 : attach(fd, root, name, true, err);
}

static int take_host(int root, struct error **err)
{
	static const char *const parts[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
	_cleanup_close_ int usr = copy_mount("/usr", READ_ONLY, AT_RECURSIVE, err);
	_cleanup_close_ int alternatives = copy_mount("/etc/alternatives", READ_ONLY, 0, NULL);
	_cleanup_close_ int cache = copy_mount("/etc/ld.so.cache", READ_ONLY, 0, NULL);

	if (usr < 0 || attach(usr, root, "usr", true, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (take_usr_part(root, parts[i], err) < 0)
			return -1;
	mkdirat(root, "etc", 0755);
	if (alternatives >= 0 && attach(alternatives, root, "etc/alternatives", true, err) < 0)
		return -1;
	return cache < 0 ? 0 : attach(cache, root, "etc/ld.so.cache", false, err);
}

/* A mount has to be attached somewhere before anything can be mounted on it. */
static int cover_folder(int root, struct error **err)
{
	if (move_mount(root, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount the jail's root");
	return 0;
}

/* The tool jail's root: of the host /usr, read-only; of the user the staging folder. */
static int compose_tool_root(int staging, struct error **err)
{
	_cleanup_close_ int root =
		new_mount("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	if (root < 0 || cover_folder(root, err) < 0 || take_host(root, err) < 0 ||
	    attach(staging, root, "staging", true, err) < 0)
		return -1;
	return steal_fd(&root);
}

int mounts_enter(enum jail_kind kind, bool read_only, struct error **err)
{
	_cleanup_close_ int folder = -1, proc = -1, tool = -1;
	int nodes[DEVICES], root, r = -1;
	char path[32];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the jail's mounts private");
	folder = copy_mount(".", read_only ? READ_ONLY : MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0,
			    err);
	/* The tree alone: packages hold files of /run and /tmp, too. */
	if (kind == JAIL_UNPACK)
		return folder < 0 || cover_folder(folder, err) < 0 ? -1 : pivot(folder, err);
	/* While the host's /proc can be seen: the kernel asks for that. */
	proc = new_mount("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			 err);
	if (folder < 0 || proc < 0)
		return -1;
	for (size_t i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		nodes[i] = copy_mount(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, err);
		if (nodes[i] < 0)
			return -1;
	}
	if (kind == JAIL_TOOL)
		root = tool = compose_tool_root(folder, err); /* NOLINT: tool is for its cleanup */
	else
		root = cover_folder(folder, err) < 0 ? -1 : folder;
	if (root >= 0)
		r = pivot(root, err);
	if (r == 0)
		r = attach(proc, root, "proc", true, err);
	if (r == 0)
		r = fill_dev(root, nodes, err);
	if (r == 0)
		r = attach_tmpfs(root, "tmp", "1777", err);
	if (r == 0)
		r = attach_tmpfs(root, "run", "0755", err);
	for (size_t i = 0; i < DEVICES; i++)
		close(nodes[i]);
	return r;
}
