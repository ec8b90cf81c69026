/* Unpacking of a .deb by the native engine, into a tree: nothing may come to lie beside it. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "helper/hash.h"
#include "helper/package.h"
#include "helper/tree.h"

#include "fuzz.h"

static char outer[] = "/dev/shm/fuzz-unpack.XXXXXX";

static void check_outside(void)
{
	DIR *d = opendir(outer);
	const struct dirent *entry;

	if (!d)
		abort();
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tree") != 0)
			abort();
	closedir(d);
}

/* As the unpacker makes it. */
static struct layout make_layout(int parent)
{
	struct layout layout = { .tree = -1, .work = -1, .merged = true, .arch = "amd64" };

	if (mkdirat(parent, "tree", 0755) < 0)
		abort();
	layout.tree = openat(parent, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(tree_make_folders(layout.tree, DPKG_INFO));
	layout.work = tree_make_folders(layout.tree, WORK);
	layout.filters.count = 1;
	snprintf(layout.filters.list[0].pattern, sizeof(layout.filters.list[0].pattern),
		 "/usr/share/doc/*");
	if (layout.work < 0)
		abort();
	return layout;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int parent = -1;
	_cleanup_error_ struct error *err = NULL;
	uint8_t sum[SHA256_LEN];
	struct layout layout;
	int fd, state, tree;

	if (parent < 0 && (!mkdtemp(outer) || (parent = open(outer, O_RDONLY | O_DIRECTORY)) < 0))
		abort();
	hash_of(data, size, sum);
	layout = make_layout(parent);
	fd = fuzz_file(data, size);
	state = package_unpack(&layout, "evil", sum, fd, size % 2, size % 3, &err);
	if (state < 0 ? !err : state < PACKAGE_UNPACKED || state > PACKAGE_KEPT)
		abort();
	check_outside();
	close(fd);
	close(layout.work);
	tree = layout.tree;
	if (tree_remove(parent, "tree", tree, NULL) < 0)
		abort();
	close(tree);
	return 0;
}
