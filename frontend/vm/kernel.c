#include "frontend/vm/kernel.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "frontend/cli/text.h"
#include "frontend/vm/kernel_payload.h"
#include "lib/error_wrap.h"

#define IMAGE_SUFFIX "arch/x86/boot/bzImage"

char *kernel_vmlinux(const struct kernel *k)
{
	_cleanup_free_ char *build = kernel_build_directory(k);
	char *path = NULL;

	if (build && asprintf(&path, "%s/vmlinux", build) >= 0 && access(path, R_OK) == 0)
		return path;
	free(path);
	path = NULL;
	if (k->version && asprintf(&path, "/usr/lib/debug/boot/vmlinux-%s", k->version) >= 0 &&
	    access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

void kernel_free(struct kernel **kernel)
{
	struct kernel *k = *kernel;

	if (!k)
		return;
	free(k->image);
	free(k->version);
	free(k->modules);
	free(k->build);
	closep(&k->elf);
	free(k);
	*kernel = NULL;
}

/* The header field at 0x20E holds the offset of the version string, minus 0x200. The string's first
 * word is what `uname -r` prints. */
static char *read_version(int fd, const uint8_t header[static 0x210])
{
	unsigned int offset = header[0x20e] | (unsigned int)header[0x20f] << 8;
	char text[128] = "";

	if (offset == 0 || pread(fd, text, sizeof(text) - 1, (off_t)offset + 0x200) <= 0)
		return NULL;
	text[strcspn(text, " \t\n")] = '\0';
	if (text[0] < '1' || text[0] > '9' || strchr(text, '/') || !text_is_clean(text))
		return NULL;
	return strdup(text);
}

/* Checks the boot protocol's magic, and the 0xAA55 that ends every boot sector. */
static int read_image(const char *path, char **version, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t header[0x210];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot read the kernel %s", path);
	if (!S_ISREG(st.st_mode) || pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    header[0x1fe] != 0x55 || header[0x1ff] != 0xaa ||
	    memcmp(header + 0x202, "HdrS", 4) != 0)
		return error_set(err, ERR_INPUT,
				 "cannot boot %s: not a kernel (no x86 boot header); use a "
				 "bzImage, a kernel build directory, or: distro",
				 path);
	*version = read_version(fd, header);
	return 0;
}

static bool kernel_is_file(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	return asprintf(&path, "%s/%s", dir, name) >= 0 && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size > 0;
}

/* Finds modules installed with the image: /lib/modules/V for /boot/vmlinuz-V, or the same layout
 * below any other directory. */
static char *find_modules(const char *image, const char *version)
{
	_cleanup_free_ char *dir = strdup(image);

	if (!dir || !version)
		return NULL;
	for (char *slash; (slash = strrchr(dir, '/'));) {
		_cleanup_free_ char *path = NULL;

		*slash = '\0';
		if (asprintf(&path, "%s/lib/modules/%s", dir, version) < 0)
			return NULL;
		if (kernel_is_file(path, "modules.dep"))
			return STEAL_PTR(path);
	}
	return NULL;
}

/* Fills K from a build directory. modules.order is empty if everything is built in. */
static int open_build(struct kernel *k, const char *dir, struct error **err)
{
	_cleanup_free_ char *image = NULL;

	if (asprintf(&image, "%s/" IMAGE_SUFFIX, dir) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", dir);
	/* An unreadable image may still have been built. */
	if (access(image, R_OK) < 0 && errno != ENOENT)
		return error_errno(err, ERR_INPUT, "cannot read the kernel %s", image);
	if (!kernel_is_file(dir, IMAGE_SUFFIX))
		return error_set(err, ERR_INPUT,
				 "no kernel has been built in %s: " IMAGE_SUFFIX " is missing"
				 "; run: make -C %s bzImage",
				 dir, dir);
	k->image = STEAL_PTR(image);
	if (read_image(k->image, &k->version, err) < 0)
		return error_wrap(err, "no kernel has been built in %s", dir);
	if (kernel_is_file(dir, "modules.order") && !(k->build = strdup(dir)))
		return error_errno(err, ERR_SYSTEM, "cannot open %s", dir);
	return 0;
}

static int open_image(struct kernel *k, const char *path, struct error **err)
{
	_cleanup_free_ char *dir = NULL;

	k->image = strdup(path);
	if (!k->image)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	dir = kernel_build_directory(k);
	if (dir && kernel_is_file(dir, ".config")) {
		free(STEAL_PTR(k->image));
		return open_build(k, dir, err);
	}
	if (read_image(path, &k->version, err) < 0)
		return -1;
	k->modules = find_modules(path, k->version);
	return 0;
}

char *kernel_build_directory(const struct kernel *k)
{
	size_t length = strlen(k->image);

	if (length <= strlen("/" IMAGE_SUFFIX) ||
	    strcmp(k->image + length - strlen("/" IMAGE_SUFFIX), "/" IMAGE_SUFFIX) != 0)
		return NULL;
	return strndup(k->image, length - strlen("/" IMAGE_SUFFIX));
}

int kernel_open(const char *path, struct kernel **out, struct error **err)
{
	_cleanup_(kernel_free) struct kernel *k = calloc(1, sizeof(*k));
	_cleanup_free_ char *absolute = realpath(path, NULL);
	struct stat st;

	if (!k)
		return error_errno(err, ERR_SYSTEM, "cannot open the kernel %s", path);
	k->elf = -1;
	if (!absolute || stat(absolute, &st) < 0)
		return error_set(err, ERR_INPUT,
				 "cannot open the kernel %s: %s; use a bzImage, a kernel build "
				 "directory, or: distro",
				 path, strerror(errno));
	if ((S_ISDIR(st.st_mode) ? open_build : open_image)(k, absolute, err) < 0)
		return -1;
	*out = STEAL_PTR(k);
	return 0;
}

/* The entry point of Linux 4.11 to 4.19 works only under Xen. */
#define OLDEST_PVH 5

static int lacks_pvh(const struct kernel *k, struct error **err)
{
	return error_set(err, ERR_INPUT,
			 "the kernel %s has no PVH entry point (Linux 5.0 or newer with "
			 "CONFIG_PVH); use --boot bzimage",
			 k->image);
}

static int check_pvh(const struct kernel *k, int elf, struct error **err)
{
	struct stat st;
	void *kernel = MAP_FAILED;
	bool good;

	if (fstat(elf, &st) == 0)
		kernel = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, elf, 0);
	if (kernel == MAP_FAILED)
		return error_errno(err, ERR_SYSTEM, "cannot read the kernel in %s", k->image);
	good = kernel_payload_has_pvh(kernel, (size_t)st.st_size);
	munmap(kernel, (size_t)st.st_size);
	return good ? 0 : lacks_pvh(k, err);
}

/* Decompresses the kernel only if that can be of use. */
static int open_elf(struct kernel *k, struct error **err)
{
	_cleanup_close_ int elf = -1;

	if (!k->version || atoi(k->version) < OLDEST_PVH)
		return lacks_pvh(k, err);
	elf = kernel_payload_open(k->image, err);
	if (elf < 0 || check_pvh(k, elf, err) < 0)
		return -1;
	closep(&k->elf);
	k->elf = steal_fd(&elf);
	return 0;
}

int kernel_choose_boot(struct kernel *k, const char *boot, bool kvm, struct error **err)
{
	bool automatic = !boot || strcmp(boot, "auto") == 0;
	_cleanup_error_ struct error *why = NULL;

	if (automatic ? kvm : strcmp(boot, "elf") != 0)
		return 0;
	if (open_elf(k, &why) == 0 || automatic)
		return 0;
	*err = STEAL_PTR(why);
	return error_wrap(err, "--boot elf");
}

const char *kernel_boot_name(const struct kernel *k)
{
	return k->elf < 0 ? "bzimage" : "elf";
}
