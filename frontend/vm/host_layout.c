#include "frontend/vm/disk_room.h"
#include "frontend/vm/host_layout.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "frontend/cli/directory.h"
#include "frontend/vm/vm_directory.h"
#include "lib/write_all.h"

static int host_layout_create(int dir, const char *name, struct error **err)
{
	if (mkdirat(dir, name, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a directory for the VM");
	return 0;
}

static int link_to(int dir, const char *name, const char *target, struct error **err)
{
	if (target && symlinkat(target, dir, name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a link for the VM");
	return 0;
}

/* Copied, not linked: vng asks file(1) for the kernel's version, and file(1) does not follow links.
 */
static int host_layout_copy_to(int dir, const char *name, const char *source, struct error **err)
{
	_cleanup_close_ int from = open(source, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int to = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t n = -1;

	while (from >= 0 && to >= 0 && (n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	return n == 0 ? 0 : error_errno(err, ERR_SYSTEM, "cannot copy %s for the VM", source);
}

static int host_layout_place_kernel(int dir, const struct kernel *kernel, struct error **err)
{
	_cleanup_free_ char *modules = NULL;

	if (host_layout_create(dir, "kernel", err) < 0 ||
	    host_layout_create(dir, "kernel/boot", err) < 0 ||
	    host_layout_create(dir, "kernel/lib", err) < 0 ||
	    host_layout_create(dir, "kernel/lib/modules", err) < 0 ||
	    host_layout_copy_to(dir, "kernel/boot/vmlinuz", kernel->image, err) < 0)
		return -1;
	if (!kernel->version || !kernel->modules)
		return 0;
	if (asprintf(&modules, "kernel/lib/modules/%s", kernel->version) < 0)
		return error_no_memory(err);
	return link_to(dir, modules, kernel->modules, err);
}

static int place_command(int dir, const struct vm_config *config, struct error **err)
{
	_cleanup_close_ int fd = openat(dir, "command", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t size = strlen(config->script);

	if (fd < 0 || write_all(fd, config->script, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the guest's command");
	return 0;
}

static int host_layout_fill(int dir, const struct vm_config *config, struct error **err)
{
	if (host_layout_create(dir, "tmp", err) < 0 ||
	    host_layout_place_kernel(dir, config->kernel, err) < 0 ||
	    place_command(dir, config, err) < 0)
		return -1;
	if (mkfifoat(dir, "console", 0600) < 0 || mkfifoat(dir, "status", 0600) < 0 ||
	    mkfifoat(dir, VM_GDB_IN, 0600) < 0 || mkfifoat(dir, VM_GDB_OUT, 0600) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the VM's FIFOs");
	for (size_t i = 0; i < config->share_count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "share%zu", i);
		if (link_to(dir, name, config->shares[i].host, err) < 0)
			return -1;
	}
	return 0;
}

/* Our own disks have no name, so nothing is left behind. */
static int open_disk(const struct vm_disk *disk, struct error **err)
{
	const char *dir = disk->memory ? "/dev/shm" : disk_room_dir();
	_cleanup_close_ int fd = -1;

	if (disk->path)
		fd = open(disk->path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	else
		fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || (!disk->path && ftruncate(fd, (off_t)disk->size) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot open the VM's disk %s",
				   disk->path ? disk->path : dir);
	return steal_fd(&fd);
}

int host_layout_make(const struct vm_config *config, char **dir, int *disks, struct error **err)
{
	char path[] = "/tmp/rootlet.XXXXXX";
	_cleanup_close_ int fd = -1;
	int result = 0;

	for (size_t i = 0; i < config->disk_count; i++)
		if ((disks[i] = open_disk(&config->disks[i], err)) < 0)
			return -1;
	if (!mkdtemp(path))
		return error_errno(err, ERR_SYSTEM, "cannot create a directory in /tmp");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", path)
			: host_layout_fill(fd, config, err);
	*dir = strdup(path);
	if (result == 0 && *dir)
		return 0;
	host_layout_remove(path);
	free(*dir);
	*dir = NULL;
	return result < 0 ? -1 : error_no_memory(err);
}

void host_layout_remove(const char *dir)
{
	dir_remove(AT_FDCWD, dir);
}
