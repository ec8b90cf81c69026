#include "frontend/vm/layout_root.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "frontend/archive/decompress.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/layout_mounts.h"
#include "frontend/vm/vng.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define LAYER VM_DIR "/layer"
#define MODULE_MOST ((size_t)256 << 20)

static int layout_root_write_file(const char *path, const char *data, size_t size, mode_t mode,
				  struct error **err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0 || write_all(fd, data, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

static int write_command(const struct vm_config *config, const char *path, struct error **err)
{
	return layout_root_write_file(path, config->script, strlen(config->script), 0644, err);
}

bool layout_has_modules(const struct vm_config *config, const struct layout_sources *s)
{
	return config->kernel->version && (s->modules >= 0 || s->build >= 0);
}

/* --- a rootfs ------------------------------------------------------------------------------- */

/* Creates PATH ("usr/lib/x") in the layer. A directory that also exists in the tree gets the owner
 * and mode that it has there, because the layer's are the visible ones. */
static int layer_dir(int tree, const char *path, struct error **err)
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

		/* The guest already sees the target of a symbolic link in the tree under this name.
		 */
		if (fstatat(original, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
			return 0;
		st = (struct stat){ .st_mode = 0755 };
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

/* Where this tree expects modules: /lib is a real directory in trees without a merged /usr. */
static const char *modules_dir(int tree)
{
	struct stat st;

	if (fstatat(tree, "lib", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return "lib/modules";
	return "usr/lib/modules";
}

static int fill_layer(const struct vm_config *config, const struct layout_sources *s,
		      struct error **err)
{
	_cleanup_free_ char *modules = NULL;

	if (mkdir(LAYER, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " LAYER);
	if (layer_dir(s->root, "usr/lib/rootlet", err) < 0)
		return -1;
	if (write_command(config, LAYER "/" VNG_GUEST_SCRIPT, err) < 0)
		return -1;
	for (size_t i = 0; i < config->share_count; i++)
		if (layer_dir(s->root, config->shares[i].guest, err) < 0)
			return -1;
	if (!layout_has_modules(config, s))
		return 0;
	if (asprintf(&modules, "%s/%s", modules_dir(s->root), config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	return layer_dir(s->root, modules, err);
}

/* Mounts the layer over the tree, and the modules on their mount point in it. */
static int place_tree(const struct vm_config *config, const struct layout_sources *s,
		      struct error **err)
{
	_cleanup_free_ char *from = NULL;
	_cleanup_free_ char *to = NULL;

	if (fill_layer(config, s, err) < 0 || bind_at(s->root, VM_DIR "/tree", err) < 0)
		return -1;
	if (mkdir(VM_TREE, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " VM_TREE);
	if (mount("rootlet", VM_TREE, "overlay", MS_RDONLY, "lowerdir=" LAYER ":" VM_DIR "/tree") <
	    0)
		return error_errno(err, ERR_HOST,
				   "cannot mount an overlay on %s in a user namespace (needs Linux "
				   "5.11 or newer)",
				   config->root.path);
	if (!layout_has_modules(config, s))
		return 0;
	if (asprintf(&from, MODULES "/%s", config->kernel->version) < 0 ||
	    asprintf(&to, VM_TREE "/%s/%s", modules_dir(s->root), config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount %s", to);
	return 0;
}

/* --- an image ------------------------------------------------------------------------------- */

/* Modules needed before the image root is mounted, besides its filesystem's, and those for the
 * command's standard streams, which a rootfs without udev would not load. crc32c_generic:
 * libcrc32c, which erofs and ext4 use, requests it by an alias ("softdep"), and no modprobe is
 * there to resolve it. */
static const char *const root_modules[] = { "virtio_pci",    "virtio_blk", "virtio_console",
					    "overlay",	     "9p",	   "9pnet_virtio",
					    "crc32c_generic" };

/* Stores modules decompressed and numbered, since the guest has only insmod to load them. A module
 * that is not found is built in, or the guest will report it as missing. */
static int place_modules(const struct vm_config *config, struct error **err)
{
	_cleanup_free_ char *dir = NULL;
	char **list = NULL;
	size_t count = 0;
	int result = 0;

	if (asprintf(&dir, MODULES "/%s", config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	for (size_t i = 0; i < sizeof(root_modules) / sizeof(*root_modules); i++)
		modules_needed(dir, root_modules[i], &list, &count);
	modules_needed(dir, config->root.fstype, &list, &count);
	for (size_t i = 0; i < count && result == 0; i++) {
		_cleanup_free_ char *from = NULL;
		_cleanup_free_ char *data = NULL;
		_cleanup_close_ int fd = -1;
		char to[sizeof(VM_TREE) + 48];
		size_t size;

		snprintf(to, sizeof(to), VM_TREE "/rootlet/modules/%03zu.ko", i);
		if (asprintf(&from, "%s/%s", dir, list[i]) < 0 ||
		    (fd = open(from, O_RDONLY | O_CLOEXEC)) < 0)
			result = error_errno(err, ERR_SYSTEM, "cannot read the module %s", list[i]);
		else if (!(data = decompress(fd, MODULE_MOST, &size, err)))
			result = error_wrap(err, "module %s", list[i]);
		else
			result = layout_root_write_file(to, data, size, 0644, err);
	}
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
	return result;
}

/* Where Debian, Fedora and others install a static busybox. */
static int place_busybox(struct error **err)
{
	static const char *const places[] = { "/bin/busybox", "/usr/bin/busybox",
					      "/usr/lib/busybox/busybox-static",
					      "/usr/bin/busybox-static", "/sbin/busybox" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		_cleanup_close_ int fd = open(places[i], O_PATH | O_CLOEXEC);

		if (fd >= 0)
			return bind_at(fd, VM_TREE "/bin/busybox", err);
	}
	return error_set(err, ERR_HOST,
			 "cannot boot from an image: the guest's init needs a static busybox, "
			 "which is not installed; run: apt install busybox-static");
}

static int layout_root_write_settings(const struct vm_config *config, struct error **err)
{
	_cleanup_free_ char *settings = NULL;
	_cleanup_free_ char *shares = NULL;
	size_t size;
	FILE *out = open_memstream(&shares, &size);

	if (!out)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the guest");
	for (size_t i = 0; i < config->share_count; i++)
		fprintf(out, "virtme.initmount%zu %s\n", i, config->shares[i].guest);
	if (fclose(out) != 0 || asprintf(&settings, "fstype=%s overlays=%zu\n", config->root.fstype,
					 config->root.overlay_count) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the guest");
	if (layout_root_write_file(VM_TREE "/rootlet/shares", shares, strlen(shares), 0644, err) <
	    0)
		return -1;
	return layout_root_write_file(VM_TREE "/rootlet/settings", settings, strlen(settings), 0644,
				      err);
}

/* Builds a minimal root in memory that can find and mount the image. */
static int place_boot_root(const struct vm_config *config, const struct layout_sources *s,
			   struct error **err)
{
	static const char *const dirs[] = { "",	    "/bin",	   "/dev",     "/proc",
					    "/sys", "/run",	   "/rootlet", "/rootlet/modules",
					    "/lib", "/lib/modules" };
	_cleanup_free_ char *from = NULL;
	_cleanup_free_ char *to = NULL;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char path[64];

		snprintf(path, sizeof(path), VM_TREE "%s", dirs[i]);
		if (mkdir(path, 0755) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", path);
	}
	if (place_busybox(err) < 0 || bind_at(s->init, VM_TREE "/bin/sh", err) < 0 ||
	    layout_root_write_settings(config, err) < 0 ||
	    write_command(config, VM_TREE "/rootlet/command", err) < 0)
		return -1;
	if (!layout_has_modules(config, s))
		return 0;
	if (place_modules(config, err) < 0)
		return -1;
	if (asprintf(&from, MODULES "/%s", config->kernel->version) < 0 ||
	    asprintf(&to, VM_TREE "/lib/modules/%s", config->kernel->version) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the kernel's modules");
	if (mkdir(to, 0755) < 0 || mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount %s", to);
	return 0;
}

/* --- all of them ---------------------------------------------------------------------------- */

int layout_root(const struct vm_config *config, const struct layout_sources *s, struct error **err)
{
	return (config->root.kind == VM_ROOT_TREE ? place_tree : place_boot_root)(config, s, err);
}
