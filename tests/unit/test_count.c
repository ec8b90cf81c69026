/* helper/worker/tree/count.c: the size of a tree is counted. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/worker/tree/walk.h"

#include "helper/worker/tree/count.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define FILES 100

static int make_files(int tree)
{
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (mkdirat(tree, name, 0700) < 0)
			return -1;
	}
	return 0;
}

/* As in a clone of a snapshot: a file of 64 KiB with two names in the tree and one outside, and one
 * with a single name in the tree and one outside. Returns the size of both, or -1. */
static int64_t make_shared(int tree, const char *outside)
{
	static char data[65536];
	int64_t bytes = 0;

	memset(data, 1, sizeof(data));
	for (int i = 0; i < 2; i++) {
		char name[16], other[256];
		struct stat st;
		int fd;

		snprintf(name, sizeof(name), "file%d", i);
		snprintf(other, sizeof(other), "%s/%d", outside, i);
		fd = openat(tree, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write_all(fd, data, sizeof(data)) < 0 || fsync(fd) < 0 ||
		    fstat(fd, &st) < 0 || linkat(tree, name, AT_FDCWD, other, 0) < 0)
			return -1;
		close(fd);
		bytes += st.st_blocks * 512;
	}
	return linkat(tree, "file0", tree, "twin", 0) < 0 ? -1 : bytes;
}

/* The size that the files add to the tree, and the image size for a sparse file. */
static void check_sizes(int tree, const char *outside)
{
	struct tree_census before, after = { 0 };
	int64_t bytes;
	int fd;

	tap_check(count_tree(tree, &before, NULL) == 0, "an empty tree is counted");
	bytes = make_shared(tree, outside);
	tap_check(bytes > 0 && count_tree(tree, &after, NULL) == 0 &&
			  after.bytes - before.bytes == (uint64_t)bytes &&
			  after.files - before.files == 3,
		  "a file shared with another tree counts fully, and once");
	before = after;
	fd = openat(tree, "holes", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	tap_check(fd >= 0 && ftruncate(fd, 1 << 20) == 0 && count_tree(tree, &after, NULL) == 0 &&
			  after.content - before.content == 1 << 20 &&
			  after.bytes - before.bytes < 1 << 20,
		  "content is the size without holes and compression");
	close(fd);
}

int main(void)
{
	_cleanup_error_ struct error *err = NULL;
	char dir[SCRATCH_SIZE] = "count", outside[SCRATCH_SIZE] = "count";
	struct tree_census census;
	int tree, other;

	if (!scratch_make(dir) || !scratch_make(outside) ||
	    (tree = open(dir, O_RDONLY | O_DIRECTORY)) < 0 || make_files(tree) < 0) {
		perror("test_count");
		return 1;
	}
	tap_check(count_tree(tree, &census, &err) == 0 && census.files == FILES + 1,
		  "everything in a tree is counted, including its root");
	check_sizes(tree, outside);
	tap_check(empty_tree(tree, NULL) == 0 && rmdir(dir) == 0, "and removed");
	other = open(outside, O_RDONLY | O_DIRECTORY);
	empty_tree(other, NULL);
	rmdir(outside);
	return tap_done();
}
