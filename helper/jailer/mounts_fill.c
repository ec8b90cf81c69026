#include "helper/jailer/mounts_fill.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "helper/jailer/mount_parts.h"
#include "lib/beneath.h"

const char *const jail_devices[JAIL_DEVICES] = {
	"null", "zero", "full", "random", "urandom", "tty"
};

static int attach_tmpfs(int root, const char *name, const char *mode, struct error **err)
{
	_cleanup_close_ int fd =
		mount_new("tmpfs", mode, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	return fd < 0 ? -1 : mount_attach(fd, root, name, true, err);
}

static int fill_dev(int root, const int nodes[JAIL_DEVICES], struct error **err)
{
	_cleanup_close_ int dev =
		mount_new("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	if (dev < 0 || mount_attach(dev, root, "dev", true, err) < 0)
		return -1;
	for (size_t i = 0; i < JAIL_DEVICES; i++)
		if (mount_attach(nodes[i], dev, jail_devices[i], false, err) < 0)
			return -1;
	if (symlinkat("/proc/self/fd", dev, "fd") < 0 || symlinkat("fd/0", dev, "stdin") < 0 ||
	    symlinkat("fd/1", dev, "stdout") < 0 || symlinkat("fd/2", dev, "stderr") < 0 ||
	    mkdirat(dev, "shm", 01777) < 0 || fchmodat(dev, "shm", 01777, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot fill /dev of the jail");
	return 0;
}

/* The files of /proc that describe the host, or are for the host's root only. All are covered. */
static const char *const masked[] = {
	"acpi",	 "asound",	"bootconfig", "cmdline",    "interrupts",
	"kcore", "key-users",	"keys",	      "locks",	    "latency_stats",
	"scsi",	 "sched_debug", "swaps",      "timer_list", "timer_stats",
};
static const char *const fixed[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };

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
	if (cover < 0 || mount_restrict(cover, MOUNT_ATTR_RDONLY, 0) < 0 ||
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

int mounts_fill(const struct jail_mounts *m, struct error **err)
{
	/* Covers must be attached before they can be copied: if nowhere else, below /proc. */
	if ((!m->covered && mount_attach(m->covers, m->root, "proc", true, err) < 0) ||
	    mount_attach(m->proc, m->root, "proc", true, err) < 0 ||
	    mask_proc(m->root, m->covers, err) < 0 || fill_dev(m->root, m->devices, err) < 0 ||
	    attach_tmpfs(m->root, "tmp", "1777", err) < 0)
		return -1;
	return attach_tmpfs(m->root, "run", "0755", err);
}
