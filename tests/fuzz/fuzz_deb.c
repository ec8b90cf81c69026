/* The front end's unpacking of a .deb, used to extract kernels from packages. */
#include <sys/stat.h>

#include "frontend/archive/deb_files.h"
#include "frontend/cli/directory.h"

#include "fuzz.h"

#define NAMES_MAX 64

static size_t names;

/* Every file is wanted, up to a limit: a hostile archive chooses the names. */
static char *place(const char *path)
{
	return names++ < NAMES_MAX ? strdup(path) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int parent = fuzz_dir();
	int fd = fuzz_file(data, size), tree;
	char deb[64];

	snprintf(deb, sizeof(deb), "/proc/self/fd/%d", fd);
	if (mkdirat(parent, "tree", 0700) < 0)
		abort();
	tree = openat(parent, "tree", O_RDONLY | O_DIRECTORY);
	names = 0;
	deb_files_unpack(deb, tree, place, NULL);
	close(tree);
	close(fd);
	fuzz_check_outside();
	if (dir_remove(parent, "tree") < 0)
		abort();
	return 0;
}
