#include "frontend/vm/layout.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/vm/disk_room.h"
#include "frontend/vm/layout_mounts.h"
#include "frontend/vm/layout_root.h"
#include "frontend/vm/sealed_root.h"

static int open_source(const char *path, int *fd, struct error **err)
{
	*fd = -1;
	if (!path)
		return 0;
	*fd = open(path, O_PATH | O_CLOEXEC);
	if (*fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	return 0;
}

static int open_sources(const struct vm_config *config, struct layout_sources *s,
			struct error **err)
{
	_cleanup_free_ char *init = NULL;
	bool tree = config->root.kind == VM_ROOT_TREE;

	/* All descriptors start as -1. */
	memset(s, -1, sizeof(*s));
	/* vng makes the kernel start /bin/sh, which is our init if the root is an image. */
	if (config->root.kind == VM_ROOT_IMAGE && !(init = paths_data("guest/init.sh", err)))
		return -1;
	if (open_source(init, &s->init, err) < 0 ||
	    open_source(tree ? config->root.path : NULL, &s->root, err) < 0 ||
	    open_source(config->kernel->image, &s->kernel, err) < 0 ||
	    open_source(config->kernel->modules, &s->modules, err) < 0 ||
	    open_source(config->kernel->build, &s->build, err) < 0)
		return -1;
	for (size_t i = 0; i < config->share_count; i++)
		if (open_source(config->shares[i].host, &s->shares[i], err) < 0)
			return -1;
	for (size_t i = 0; i < config->disk_count; i++) {
		const struct vm_disk *disk = &config->disks[i];
		const char *path = disk->path || disk->memory ? disk->path : disk_room_dir();

		if (open_source(path, &s->disks[i], err) < 0)
			return -1;
	}
	return 0;
}

/* In a kernel build directory, modules lie beside their sources. This gives it the layout of an
 * installed kernel: the build directory itself as `kernel`, and the lists that depmod makes. */
static int index_build(const struct vm_config *config, const char *dir, struct error **err)
{
	static const char *const lists[] = { "modules.order", "modules.builtin",
					     "modules.builtin.modinfo" };
	pid_t child;
	int status;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		_cleanup_free_ char *from = NULL;
		_cleanup_free_ char *to = NULL;

		if (asprintf(&from, "kernel/%s", lists[i]) < 0 ||
		    asprintf(&to, "%s/%s", dir, lists[i]) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
		if (symlink(from, to) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", to);
	}
	child = fork();
	if (child == 0) {
		execlp("depmod", "depmod", "-b", VM_DIR "/kernel", config->kernel->version,
		       (char *)NULL);
		execl("/sbin/depmod", "depmod", "-b", VM_DIR "/kernel", config->kernel->version,
		      (char *)NULL);
		_exit(127);
	}
	if (child < 0 || RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start depmod");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_HOST,
				 "cannot index the modules of %s: depmod failed; if it is missing, "
				 "run: apt install kmod",
				 config->kernel->build);
	return 0;
}

static int layout_place_kernel(const struct vm_config *config, const struct layout_sources *s,
			       struct error **err)
{
	_cleanup_free_ char *dir = NULL;
	_cleanup_free_ char *kernel = NULL;

	if (mkdir(VM_DIR "/kernel", 0755) < 0 || mkdir(VM_DIR "/kernel/boot", 0755) < 0 ||
	    mkdir(VM_DIR "/kernel/lib", 0755) < 0 || mkdir(MODULES, 0755) < 0 ||
	    mkdir(VM_DIR "/kernel/usr", 0755) < 0 ||
	    symlink("../lib", VM_DIR "/kernel/usr/lib") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_DIR "/kernel");
	if (bind_at(s->kernel, VM_IMAGE, err) < 0)
		return -1;
	if (!layout_has_modules(config, s))
		return 0;
	if (asprintf(&dir, MODULES "/%s", config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	if (s->modules >= 0)
		return bind_at(s->modules, dir, err);
	if (mkdir(dir, 0755) < 0 || asprintf(&kernel, "%s/kernel", dir) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", dir);
	if (bind_at(s->build, kernel, err) < 0)
		return -1;
	return index_build(config, dir, err);
}

/* FIFOs and temporary files belong to vng, which does not run as root here. */
static int place_channels(uid_t owner, struct error **err)
{
	static const char *const fifos[] = { VM_DIR "/console",		VM_DIR "/status",
					     VM_DIR "/" VM_TERMINAL_IN, VM_DIR "/" VM_TERMINAL_OUT,
					     VM_DIR "/" VM_GDB_IN,	VM_DIR "/" VM_GDB_OUT,
					     VM_DIR "/" VM_MONITOR_IN,	VM_DIR "/" VM_MONITOR_OUT,
					     VM_DIR "/" VM_MEMORY };

	for (size_t i = 0; i < sizeof(fifos) / sizeof(*fifos); i++)
		if (mkfifo(fifos[i], 0600) < 0 || chown(fifos[i], owner, owner) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", fifos[i]);
	if (mkdir(VM_DIR "/tmp", 0700) < 0 || chown(VM_DIR "/tmp", owner, owner) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_DIR "/tmp");
	return 0;
}

/* Opens SOURCE through a temporary mount of its own: the descriptor stays writable when the host's
 * mounts become read-only, and reveals nothing else of its directory. */
static int open_detached(int source, const char *path, int flags, struct error **err)
{
	struct stat st;
	int fd;

	if (bind_at(source, VM_DIR "/scratch", err) < 0)
		return -1;
	fd = open(VM_DIR "/scratch", flags | O_CLOEXEC, 0600);
	if (fd < 0)
		error_errno(err, ERR_SYSTEM, "cannot open the VM's disk %s", path);
	if (umount2(VM_DIR "/scratch", MNT_DETACH) < 0 && fd >= 0) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot detach %s", path);
	}
	/* The mount point was a directory or a file; the next disk may need the other. */
	if (lstat(VM_DIR "/scratch", &st) == 0)
		(S_ISDIR(st.st_mode) ? rmdir : unlink)(VM_DIR "/scratch");
	return fd;
}

/* Creates an unnamed sparse file, so that nothing is left behind. `dir` is -1 for memory. */
static int make_sparse(const struct vm_disk *disk, int dir, uid_t owner, struct error **err)
{
	const char *path = disk->memory ? VM_DIR : disk_room_dir();
	_cleanup_close_ int source = disk->memory ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)
						  : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	_cleanup_close_ int fd = -1;

	if (source < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a disk in %s", path);
	fd = open_detached(source, path, O_TMPFILE | O_RDWR, err);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)disk->size) < 0 || fchown(fd, owner, owner) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a disk of %llu bytes in %s",
				   (unsigned long long)disk->size, path);
	return steal_fd(&fd);
}

static int open_disks(const struct vm_config *config, const struct layout_sources *s, uid_t owner,
		      int *disks, struct error **err)
{
	for (size_t i = 0; i < config->disk_count; i++) {
		const struct vm_disk *disk = &config->disks[i];

		disks[i] = disk->path ? open_detached(s->disks[i], disk->path,
						      disk->read_only ? O_RDONLY : O_RDWR, err)
				      : make_sparse(disk, s->disks[i], owner, err);
		if (disks[i] < 0)
			return -1;
	}
	return 0;
}

/* vng requires that a shared directory's guest path also exists on the host. Sealed, only our own
 * root and the private directory are writable here; unsealed, the private directory may have
 * covered the path. */
static void make_share_path(const struct vm_config *config, const char *path)
{
	_cleanup_free_ char *copy = NULL;

	if (config->unsealed && !text_has_prefix(path, VM_DIR "/"))
		return;
	copy = strdup(path);
	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	if (copy)
		mkdir(copy, 0755);
}

/* If the host is visible and qemu may create UNIX sockets, hides those of the user's session and of
 * the system: see vm_filter.h. */
static int hide_sockets(struct error **err)
{
	static const char *const dirs[] = { "/run", "/tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (mount("rootlet", dirs[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0755") < 0)
			return error_errno(err, ERR_SYSTEM, "cannot hide the host's %s from the VM",
					   dirs[i]);
	return 0;
}

/* The guest may take over qemu, so leave only those mounts writable that the VM is meant to write
 * to. */
static int layout_seal(const struct vm_config *config, struct error **err)
{
	if (!config->unsealed && sealed_root_close(config->kvm, err) < 0)
		return -1;
	if (config->unsealed && mount_attributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot make the host read-only for the VM");
	if (mount_attributes(VM_DIR, 0, 0, MOUNT_ATTR_RDONLY) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to " VM_DIR);
	for (size_t i = 0; i < config->share_count; i++) {
		char path[64];

		if (config->shares[i].read_only)
			continue;
		snprintf(path, sizeof(path), VM_DIR "/share%zu", i);
		if (mount_attributes(path, 0, 0, MOUNT_ATTR_RDONLY) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot share %s",
					   config->shares[i].host);
	}
	return 0;
}

static void close_sources(const struct vm_config *config, struct layout_sources *s)
{
	closep(&s->root);
	closep(&s->init);
	closep(&s->kernel);
	closep(&s->modules);
	closep(&s->build);
	for (size_t i = 0; i < config->disk_count; i++)
		closep(&s->disks[i]);
	for (size_t i = 0; i < config->share_count; i++)
		closep(&s->shares[i]);
}

static int place_shares(const struct vm_config *config, const struct layout_sources *s,
			struct error **err)
{
	for (size_t i = 0; i < config->share_count; i++) {
		char target[64];

		make_share_path(config, config->shares[i].guest);
		snprintf(target, sizeof(target), VM_DIR "/share%zu", i);
		if (bind_at(s->shares[i], target, err) < 0)
			return -1;
	}
	return 0;
}

int layout_make(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		int *disks, struct error **err)
{
	struct layout_sources s;

	/* Mounts must not propagate to the host, nor from it. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the VM's mounts private");
	if (open_sources(config, &s, err) < 0)
		return -1;
	if (!config->unsealed && sealed_root_enter(config, places, owner, err) < 0)
		return -1;
	if (mount("rootlet", VM_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount " VM_DIR);
	if (open_disks(config, &s, owner, disks, err) < 0 ||
	    layout_place_kernel(config, &s, err) < 0 || layout_root(config, &s, err) < 0 ||
	    place_channels(owner, err) < 0 || place_shares(config, &s, err) < 0)
		return -1;
	close_sources(config, &s);
	if (config->unsealed && config->root.virtiofs && hide_sockets(err) < 0)
		return -1;
	return layout_seal(config, err);
}
