/* A manifest, which a rootfs's scripts can have written. */
#include <sys/stat.h>

#include "frontend/manifest.h"

#include "fuzz.h"

static int folder(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = fuzz_folder();
	if (mkdirat(fd, "etc", 0700) < 0 || mkdirat(fd, "etc/rootlet", 0700) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *manifest = NULL;
	int fd = openat(folder(), MANIFEST_PATH, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	int copy;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	/* What was read can be written and read again. */
	if (manifest_read(folder(), &manifest, NULL) == 0 &&
	    manifest_write(manifest, &copy, NULL) == 0)
		close(copy);
	manifest_free(&manifest);
	return 0;
}
