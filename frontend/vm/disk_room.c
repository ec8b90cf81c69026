#include "frontend/vm/disk_room.h"

#include <stdlib.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* qemu writes up to 1 MiB at a time, and filesystems keep some blocks for themselves. */
#define LEAST (16ULL << 20)

const char *disk_room_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir == '/' ? dir : "/var/tmp";
}

/* By how much the disk may still grow, in bytes, or as much as is worth asking. */
static uint64_t growth(const struct vm_disk *disk)
{
	uint64_t size = disk->size, has = 0;
	struct stat st;

	if (disk->memory || disk->read_only)
		return 0;
	if (disk->path) {
		if (stat(disk->path, &st) < 0 || !S_ISREG(st.st_mode))
			return 0;
		size = (uint64_t)st.st_size;
		has = (uint64_t)st.st_blocks * 512;
	}
	return has < size ? MIN(size - has, LEAST) : 0;
}

int disk_room_check(const struct vm_config *config, struct error **err)
{
	for (size_t i = 0; i < config->disk_count; i++) {
		const struct vm_disk *disk = &config->disks[i];
		const char *path = disk->path ? disk->path : disk_room_dir();
		uint64_t wanted = growth(disk);
		struct statvfs st;

		if (!wanted || statvfs(path, &st) < 0 ||
		    (uint64_t)st.f_bavail * st.f_frsize >= wanted)
			continue;
		return error_set(err, ERR_SPACE,
				 "no space left for the guest's disks on the filesystem of %s; "
				 "free some%s",
				 path,
				 disk->path ? "" : ", or set TMPDIR to a directory that has more");
	}
	return 0;
}
