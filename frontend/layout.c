#include "frontend/layout.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/hypervisor.h"
#include "frontend/vng.h"

/* glibc has this from 2.36 on. */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
struct mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif

#define LAYER VM_FOLDER "/layer"
#define MODULES VM_FOLDER "/kernel/lib/modules"

/* All that a path of the user's names is opened before the private folder covers anything. */
struct sources {
	int tree, image, modules, build;
	int shares[VM_RWDIRS_MAX];
};

static int set_attributes(const char *path, unsigned int flags, uint64_t set, uint64_t clear)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr));
}

/* Binds what FD is open on to TARGET, which is made: a folder or an empty file. */
static int bind_at(int fd, const char *target, struct error **err)
{
	char source[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare %s", target);
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(target, 0755) < 0 && errno != EEXIST)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", target);
	} else {
		_cleanup_close_ int made = open(target, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);

		if (made < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", target);
	}
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount %s", target);
	return 0;
}

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

static int open_sources(const struct vm_config *config, struct sources *s, struct error **err)
{
	if (open_source(config->tree, &s->tree, err) < 0 ||
	    open_source(config->kernel->image, &s->image, err) < 0 ||
	    open_source(config->kernel->modules, &s->modules, err) < 0 ||
	    open_source(config->kernel->build, &s->build, err) < 0)
		return -1;
	for (size_t i = 0; i < config->rwdir_count; i++)
		if (open_source(config->rwdirs[i], &s->shares[i], err) < 0)
			return -1;
	return 0;
}

/* Makes PATH ("usr/lib/x") in the layer. A folder that the tree has too gets the tree's owner and
 * mode, because the layer's are the ones that show. */
static int layer_folder(int tree, const char *path, struct error **err)
{
	_cleanup_close_ int below = open(LAYER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int original = RETRY_ON_EINTR(fcntl(tree, F_DUPFD_CLOEXEC, 3));
	_cleanup_free_ char *copy = strdup(path);
	char *state = NULL;

	if (below < 0 || !copy)
		return error_errno(err, ERR_SYSTEM, "cannot make /%s for the guest", path);
	for (char *name = strtok_r(copy, "/", &state); name; name = strtok_r(NULL, "/", &state)) {
		struct stat st = { .st_mode = 0755 };
		int next;

		next = openat(original, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		closep(&original);
		original = next;
		if (original >= 0)
			fstat(original, &st);
		if (mkdirat(below, name, 0755) < 0 && errno != EEXIST)
			return error_errno(err, ERR_SYSTEM, "cannot make /%s for the guest", path);
		if (fchownat(below, name, st.st_uid, st.st_gid, 0) < 0 ||
		    fchmodat(below, name, st.st_mode & 07777, 0) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make /%s for the guest", path);
		next = openat(below, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		closep(&below);
		below = next;
	}
	return 0;
}

static int write_text(const char *path, const char *text, struct error **err)
{
	_cleanup_fclose_ FILE *out = fopen(path, "we");

	if (!out || fputs(text, out) < 0 || fflush(out) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

/* Where this tree looks for modules: /lib is a folder in trees without a merged /usr. */
static const char *modules_folder(int tree)
{
	struct stat st;

	if (fstatat(tree, "lib", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return "lib/modules";
	return "usr/lib/modules";
}

static int fill_layer(const struct vm_config *config, const struct sources *s, struct error **err)
{
	_cleanup_free_ char *modules = NULL;
	_cleanup_free_ char *script = NULL;

	if (mkdir(LAYER, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " LAYER);
	if (layer_folder(s->tree, "usr/lib/rootlet", err) < 0)
		return -1;
	script = vng_guest_script(config);
	if (!script)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the guest's command");
	if (config->argv && write_text(LAYER "/" VNG_GUEST_SCRIPT, script, err) < 0)
		return -1;
	for (size_t i = 0; i < config->rwdir_count; i++)
		if (layer_folder(s->tree, config->rwdirs[i], err) < 0)
			return -1;
	if (!config->kernel->version || (s->modules < 0 && s->build < 0))
		return 0;
	if (asprintf(&modules, "%s/%s", modules_folder(s->tree), config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	return layer_folder(s->tree, modules, err);
}

/* A kernel's build folder has modules where their sources are. This makes of it what a kernel that
 * is installed has: the build folder itself as `kernel`, and the lists that depmod makes. */
static int index_build(const struct vm_config *config, const char *folder, struct error **err)
{
	static const char *const lists[] = { "modules.order", "modules.builtin",
					     "modules.builtin.modinfo" };
	pid_t child;
	int status;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		_cleanup_free_ char *from = NULL;
		_cleanup_free_ char *to = NULL;

		if (asprintf(&from, "kernel/%s", lists[i]) < 0 ||
		    asprintf(&to, "%s/%s", folder, lists[i]) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
		if (symlink(from, to) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", to);
	}
	child = fork();
	if (child == 0) {
		execlp("depmod", "depmod", "-b", VM_FOLDER "/kernel", config->kernel->version,
		       (char *)NULL);
		execl("/sbin/depmod", "depmod", "-b", VM_FOLDER "/kernel", config->kernel->version,
		      (char *)NULL);
		_exit(127);
	}
	if (child < 0 || RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start depmod");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_HOST,
				 "cannot list the modules of %s: depmod failed; it is in the "
				 "package kmod",
				 config->kernel->build);
	return 0;
}

static int place_kernel(const struct vm_config *config, const struct sources *s, struct error **err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *kernel = NULL;

	if (mkdir(VM_FOLDER "/kernel", 0755) < 0 || mkdir(VM_FOLDER "/kernel/boot", 0755) < 0 ||
	    mkdir(VM_FOLDER "/kernel/lib", 0755) < 0 || mkdir(MODULES, 0755) < 0 ||
	    mkdir(VM_FOLDER "/kernel/usr", 0755) < 0 ||
	    symlink("../lib", VM_FOLDER "/kernel/usr/lib") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_FOLDER "/kernel");
	if (bind_at(s->image, VM_IMAGE, err) < 0)
		return -1;
	if (!config->kernel->version || (s->modules < 0 && s->build < 0))
		return 0;
	if (asprintf(&folder, MODULES "/%s", config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	if (s->modules >= 0)
		return bind_at(s->modules, folder, err);
	if (mkdir(folder, 0755) < 0 || asprintf(&kernel, "%s/kernel", folder) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", folder);
	if (bind_at(s->build, kernel, err) < 0)
		return -1;
	return index_build(config, folder, err);
}

/* The tree under the layer, and the modules on their mount point in it. */
static int place_tree(const struct vm_config *config, const struct sources *s, struct error **err)
{
	_cleanup_free_ char *from = NULL;
	_cleanup_free_ char *to = NULL;

	if (bind_at(s->tree, VM_FOLDER "/tree", err) < 0)
		return -1;
	if (mkdir(VM_TREE, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_TREE);
	if (mount("rootlet", VM_TREE, "overlay", MS_RDONLY,
		  "lowerdir=" LAYER ":" VM_FOLDER "/tree") < 0)
		return error_errno(err, ERR_HOST,
				   "cannot put an overlay on %s (Linux 5.11 and newer lets a user "
				   "namespace do that)",
				   config->tree);
	if (!config->kernel->version || (s->modules < 0 && s->build < 0))
		return 0;
	if (asprintf(&from, MODULES "/%s", config->kernel->version) < 0 ||
	    asprintf(&to, VM_TREE "/%s/%s", modules_folder(s->tree), config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount %s", to);
	return 0;
}

/* FIFOs and temporary files belong to vng, which is not root here. */
static int place_channels(uid_t owner, struct error **err)
{
	static const char *const fifos[] = { VM_FOLDER "/console", VM_FOLDER "/status" };

	for (size_t i = 0; i < 2; i++)
		if (mkfifo(fifos[i], 0600) < 0 || chown(fifos[i], owner, owner) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", fifos[i]);
	if (mkdir(VM_FOLDER "/tmp", 0700) < 0 || chown(VM_FOLDER "/tmp", owner, owner) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_FOLDER "/tmp");
	return 0;
}

/* Sparse files without a name, so that there is nothing to leave behind. They are opened through a
 * mount of their own that has no place anywhere: it stays writable when the host's become
 * read-only, and shows nothing else of its folder. */
static int make_disks(const struct vm_config *config, uid_t owner, int *disks, struct error **err)
{
	const char *folder = getenv("TMPDIR");
	_cleanup_close_ int fd = -1;

	if (!config->disk_count)
		return 0;
	if (!folder || *folder != '/')
		folder = "/var/tmp";
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a scratch disk in %s", folder);
	if (bind_at(fd, VM_FOLDER "/scratch", err) < 0)
		return -1;
	for (size_t i = 0; i < config->disk_count; i++) {
		disks[i] = open(VM_FOLDER "/scratch", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (disks[i] < 0 || ftruncate(disks[i], (off_t)config->disks[i]) < 0 ||
		    fchown(disks[i], owner, owner) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make a scratch disk in %s",
					   folder);
	}
	if (umount2(VM_FOLDER "/scratch", MNT_DETACH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot detach %s", folder);
	return 0;
}

/* vng wants the guest's path of a shared folder to be there on the host too; the private folder may
 * have covered it. */
static void uncover(const char *path)
{
	_cleanup_free_ char *copy = NULL;

	if (strncmp(path, VM_FOLDER "/", strlen(VM_FOLDER "/")) != 0 || !(copy = strdup(path)))
		return;
	for (char *slash = copy + strlen(VM_FOLDER "/"); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

/* qemu faces a guest that may be hostile: of the host it can write what the VM is meant to write.
 */
static int seal(const struct vm_config *config, struct error **err)
{
	if (set_attributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot make the host read-only for the VM");
	if (set_attributes(VM_FOLDER, 0, 0, MOUNT_ATTR_RDONLY) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to " VM_FOLDER);
	for (size_t i = 0; i < config->rwdir_count; i++) {
		char path[64];

		snprintf(path, sizeof(path), VM_FOLDER "/share%zu", i);
		if (set_attributes(path, 0, 0, MOUNT_ATTR_RDONLY) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot share %s", config->rwdirs[i]);
	}
	return 0;
}

static void close_sources(const struct vm_config *config, struct sources *s)
{
	closep(&s->tree);
	closep(&s->image);
	closep(&s->modules);
	closep(&s->build);
	for (size_t i = 0; i < config->rwdir_count; i++)
		closep(&s->shares[i]);
}

static int place_shares(const struct vm_config *config, const struct sources *s, struct error **err)
{
	for (size_t i = 0; i < config->rwdir_count; i++) {
		char target[64];

		uncover(config->rwdirs[i]);
		snprintf(target, sizeof(target), VM_FOLDER "/share%zu", i);
		if (bind_at(s->shares[i], target, err) < 0)
			return -1;
	}
	return 0;
}

int layout_make(const struct vm_config *config, uid_t owner, int *disks, struct error **err)
{
	struct sources s;

	/* What happens here must not show on the host, nor the other way round. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set the VM's mounts apart");
	if (open_sources(config, &s, err) < 0)
		return -1;
	if (mount("rootlet", VM_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount " VM_FOLDER);
	if (make_disks(config, owner, disks, err) < 0 || fill_layer(config, &s, err) < 0 ||
	    place_kernel(config, &s, err) < 0 || place_tree(config, &s, err) < 0 ||
	    place_channels(owner, err) < 0 || place_shares(config, &s, err) < 0)
		return -1;
	close_sources(config, &s);
	return seal(config, err);
}
