#include "frontend/vm/sealed_root.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "frontend/cli/text.h"
#include "frontend/vm/layout_mounts.h"
#include "frontend/vm/vm_directory.h"

#define HOST "/host"
#define KVM "/dev/kvm"
/* The kernel's own limit. Source: path_resolution(7). */
#define LINKS_MOST 40

static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
				       "/dev/urandom" };

static const struct {
	const char *name, *target;
} device_links[] = { { "/dev/fd", "/proc/self/fd" },
		     { "/dev/stdin", "/proc/self/fd/0" },
		     { "/dev/stdout", "/proc/self/fd/1" },
		     { "/dev/stderr", "/proc/self/fd/2" } };

/* Creates the parent directories of PATH. Those on a host mount already exist. */
static int make_above(const char *path, struct error **err)
{
	_cleanup_free_ char *copy = strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST && errno != EROFS)
			return error_errno(err, ERR_SYSTEM, "cannot make %s for the VM", copy);
		*slash = '/';
	}
	return copy ? 0 : error_no_memory(err);
}

/* Whether PATH is already visible as part of a directory mounted earlier. */
static bool is_shown(const char *path, const struct stat *host)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == host->st_dev && st.st_ino == host->st_ino;
}

static int bind_host(const char *path, const char *source, struct error **err)
{
	_cleanup_close_ int fd = open(source, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s for the VM", path);
	if (make_above(path, err) < 0 || bind_at(fd, path, err) < 0)
		return -1;
	/* Do this now: nothing created in here later may land on the host. */
	if (mount_attributes(path, AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot make %s read-only for the VM", path);
	return 0;
}

/* A host path that is being resolved. */
struct path_walk {
	char done[PATH_MAX]; /* resolved directories, or "" for the root */
	char rest[PATH_MAX]; /* still to resolve, relative to DONE */
	int links;
};

/* Copies the host's symbolic link at LINK and continues with its target. Returns 1, 0 if it leads
 * nowhere, or -1 with ERR set. */
static int sealed_root_follow(struct path_walk *w, const char *link, const char *source,
			      struct error **err)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t size = readlink(source, target, sizeof(target) - 1);
	int length;

	if (size <= 0 || ++w->links > LINKS_MOST)
		return 0;
	target[size] = '\0';
	if (make_above(link, err) < 0)
		return -1;
	/* In a directory mounted from the host, the link already exists. */
	if (symlink(target, link) < 0 && errno != EEXIST && errno != EROFS)
		return error_errno(err, ERR_SYSTEM, "cannot make %s for the VM", link);
	length = snprintf(rest, sizeof(rest), "%s/%s", target, w->rest);
	if (length >= PATH_MAX)
		return 0;
	memcpy(w->rest, rest, (size_t)length + 1);
	if (*target == '/')
		*w->done = '\0';
	return 1;
}

/* Resolves one component. Returns 1, 0 if it does not exist, or -1 with ERR set. */
static int sealed_root_step(struct path_walk *w, struct error **err)
{
	char name[PATH_MAX], path[2 * PATH_MAX], source[2 * PATH_MAX + sizeof(HOST)];
	size_t skipped = strspn(w->rest, "/");
	size_t length = strcspn(w->rest + skipped, "/");
	struct stat st;
	int size;

	snprintf(name, sizeof(name), "%.*s", (int)length, w->rest + skipped);
	memmove(w->rest, w->rest + skipped + length, strlen(w->rest + skipped + length) + 1);
	if (!*name || strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0) {
		char *slash = strrchr(w->done, '/');

		if (slash)
			*slash = '\0';
		return 1;
	}
	size = snprintf(path, sizeof(path), "%s/%s", w->done, name);
	if (size >= PATH_MAX)
		return 0;
	snprintf(source, sizeof(source), HOST "%s", path);
	if (lstat(source, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode))
		return sealed_root_follow(w, path, source, err);
	memcpy(w->done, path, (size_t)size + 1);
	return 1;
}

/* Mounts the host's PATH at the same path, with all symbolic links on the way to it, so that every
 * name that resolves on the host also resolves here. Skips paths that do not exist. */
static int sealed_root_show(const char *path, struct error **err)
{
	_cleanup_free_ struct path_walk *w = calloc(1, sizeof(*w));
	char source[PATH_MAX + sizeof(HOST)];
	struct stat st;
	int result = 1;

	if (!w)
		return error_no_memory(err);
	snprintf(w->rest, sizeof(w->rest), "%s", path);
	while (result > 0 && *w->rest)
		result = sealed_root_step(w, err);
	if (result <= 0)
		return result;
	snprintf(source, sizeof(source), HOST "%s", w->done);
	if (!*w->done || lstat(source, &st) < 0 || is_shown(w->done, &st))
		return 0;
	return bind_host(w->done, source, err);
}

static int make_devices(bool kvm, struct error **err)
{
	if (mkdir("/dev", 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the VM's /dev");
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		if (sealed_root_show(devices[i], err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(device_links) / sizeof(*device_links); i++)
		if (symlink(device_links[i].target, device_links[i].name) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make the VM's %s",
					   device_links[i].name);
	return kvm ? sealed_root_show(KVM, err) : 0;
}

/* Python looks up its own user. The host's user list stays hidden. */
static int make_users(uid_t owner, struct error **err)
{
	_cleanup_fclose_ FILE *users = NULL;
	_cleanup_fclose_ FILE *groups = NULL;

	if (mkdir("/etc", 0755) < 0 || !(users = fopen("/etc/passwd", "wxe")) ||
	    !(groups = fopen("/etc/group", "wxe")))
		return error_errno(err, ERR_SYSTEM,
				   "cannot create the VM's /etc/passwd and /etc/group");
	fprintf(users, "vng:x:%u:%u::" VM_DIR "/tmp:/bin/sh\n", owner, owner);
	fprintf(groups, "vng:x:%u:\n", owner);
	return 0;
}

/* The host's /proc must stay visible until this is done: the kernel lets a user namespace mount
 * proc only if it already sees one with nothing covered. */
static int mount_proc(struct error **err)
{
	if (mkdir("/proc", 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the VM's /proc");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_set(err, ERR_HOST,
				 "cannot seal the VM: cannot mount a new /proc: %s; containers "
				 "that mask parts of /proc do not allow it; use --unsealed to run "
				 "with the host's files and processes visible to qemu",
				 strerror(errno));
	return 0;
}

static int change_root(struct error **err)
{
	if (mount("rootlet", VM_DIR, "tmpfs", MS_NOSUID, "mode=0755") < 0 ||
	    mkdir(VM_DIR HOST, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the VM's root directory");
	if (syscall(SYS_pivot_root, VM_DIR, VM_DIR HOST) < 0 || chdir("/") < 0)
		return error_set(err, ERR_HOST,
				 "cannot seal the VM: cannot change the root directory: %s; use "
				 "--unsealed to run with the host's files visible to qemu",
				 strerror(errno));
	return 0;
}

/* Fails if files that vng needs are below VM_DIR, where the VM's own would hide them. */
static int make_own_dir(const struct vng_places *places, struct error **err)
{
	if (mkdir(VM_DIR, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_DIR);
	for (size_t i = 0; i < places->count; i++)
		if (text_has_prefix(places->path[i], VM_DIR "/"))
			return error_set(
				err, ERR_HOST,
				"cannot seal the VM: vng needs %s, but the VM has files of "
				"its own at " VM_DIR
				"; take that out of PATH, or install vng elsewhere",
				places->path[i]);
	return error_set(err, ERR_HOST,
			 "cannot seal the VM: files that vng needs are below " VM_DIR
			 ", where the VM has files of its own; install vng elsewhere");
}

int sealed_root_enter(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		      struct error **err)
{
	if (change_root(err) < 0 || mount_proc(err) < 0 || make_devices(config->kvm, err) < 0 ||
	    make_users(owner, err) < 0)
		return -1;
	for (size_t i = 0; i < places->count; i++)
		if (sealed_root_show(places->path[i], err) < 0)
			return -1;
	return make_own_dir(places, err);
}

/* The host may lack the device; then it was skipped. */
static int open_device(const char *path, struct error **err)
{
	if (mount_attributes(path, 0, 0, MOUNT_ATTR_NODEV) < 0 && errno != ENOENT)
		return error_errno(err, ERR_HOST, "cannot give the VM %s", path);
	return 0;
}

int sealed_root_close(bool kvm, struct error **err)
{
	if (umount2(HOST, MNT_DETACH) < 0 || rmdir(HOST) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot unmount the host's files from the VM");
	if (mount_attributes("/", AT_RECURSIVE,
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot make the VM's root read-only");
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		if (open_device(devices[i], err) < 0)
			return -1;
	return kvm ? open_device(KVM, err) : 0;
}
