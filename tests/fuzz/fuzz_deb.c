/* Unpacking of a .deb by the front end, which takes kernels out of packages. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "frontend/deb_files.h"

#include "fuzz.h"

#define NAMES_MAX 64

static char outer[] = "/dev/shm/fuzz-deb.XXXXXX";
static size_t names;

/* Everything is wanted, up to a number: what a hostile archive names itself. */
static char *place(const char *path)
{
	return names++ < NAMES_MAX ? strdup(path) : NULL;
}

static void check_outside(void)
{
	DIR *d = opendir(outer);
	const struct dirent *entry;

	if (!d)
		abort();
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tree") != 0 &&
		    strcmp(entry->d_name, "deb") != 0)
			abort();
	closedir(d);
}

static void empty(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0) {
			empty(dirfd(d), entry->d_name);
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
		}
	}
	if (d)
		closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int parent = -1;
	char deb[64];
	int fd, tree;

	if (parent < 0 && (!mkdtemp(outer) || (parent = open(outer, O_RDONLY | O_DIRECTORY)) < 0 ||
			   mkdirat(parent, "tree", 0700) < 0))
		abort();
	snprintf(deb, sizeof(deb), "%s/deb", outer);
	fd = open(deb, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	tree = openat(parent, "tree", O_RDONLY | O_DIRECTORY);
	names = 0;
	deb_files_unpack(deb, tree, place, NULL);
	close(tree);
	check_outside();
	empty(parent, "tree");
	return 0;
}
