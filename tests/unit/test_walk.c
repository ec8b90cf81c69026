/* helper/worker/tree/walk.c: operations on whole trees and on paths in them. The contents come
 * from a build or a package. */
#include "helper/worker/tree/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "helper/worker/entries.h"
#include "helper/worker/tree/clamp.h"
#include "lib/cleanup.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define DEEPER                                                                                     \
	2100 /* twice the descriptor limit: DEPTH_MAX in helper/worker/tree/walk.c                 \
	      */
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64
#define STRANGE "a\nb"

static char dir[SCRATCH_SIZE] = "walk";
static int top = -1;

static int open_tree_of(const char *name)
{
	return mkdirat(top, name, 0755) < 0 ? -1
					    : openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* DEEPER nested directories. */
static bool dig(int tree)
{
	int at = dup(tree);

	for (int i = 0; at >= 0 && i < DEEPER; i++) {
		int next = mkdirat(at, "d", 0755) < 0
				   ? -1
				   : openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		close(at);
		at = next;
	}
	closep(&at);
	return at >= 0;
}

static int remove_tree(const char *name, int tree, struct error **err)
{
	if (empty_tree(tree, err) < 0)
		return -1;
	return unlinkat(top, name, AT_REMOVEDIR);
}

static void check_depth(void)
{
	_cleanup_close_ int tree = open_tree_of("deep");

	if (!dig(tree) || mkdirat(tree, ".hoisted.0", 0755) < 0)
		abort();
	tap_check(check_mounts(tree, NULL) == 0, "a tree that is too deep has no mounts");
	tap_check(remove_tree("deep", tree, NULL) == 0 && faccessat(top, "deep", F_OK, 0) < 0,
		  "a tree deeper than the descriptor limit is removed");
}

static bool mount_at(int tree, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", tree, name);
	return mount("none", path, "tmpfs", 0, NULL) == 0;
}

/* The message has a printable name, however long the path is. */
static void check_mount(void)
{
	static const char *const says[] = { "something is mounted on /a?b; find",
					    "/" X64 X64 X64 "x" };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int tree = open_tree_of("mounts");
	char path[PATH_MAX];

	mkdirat(tree, STRANGE, 0755);
	tap_check(mount_at(tree, STRANGE) && check_mounts(tree, &err) == -1 && err &&
			  err->code == ERR_BUSY && strstr(err->message, says[0]),
		  "a mount in a tree is reported: %s", err ? err->message : "nothing");
	error_free(&err);
	tap_check(remove_tree("mounts", tree, &err) == -1 && err && err->code == ERR_BUSY,
		  "a tree with a mount is not removed");
	error_free(&err);
	snprintf(path, sizeof(path), "%s/mounts/" STRANGE, dir);
	umount(path);
	snprintf(path, sizeof(path), "%.250s/%.250s/%.250s", X256, X256, X256);
	close(tree_make_dirs(tree, path));
	tap_check(mount_at(tree, path) && check_mounts(tree, &err) == -1 && err &&
			  strstr(err->message, says[1]) && strstr(err->message, "…"),
		  "a long path is truncated: %s", err ? err->message : strerror(errno));
	error_free(&err);
	snprintf(path, sizeof(path), "%s/mounts/%.250s/%.250s/%.250s", dir, X256, X256, X256);
	umount(path);
	tap_check(remove_tree("mounts", tree, NULL) == 0, "a tree without mounts is removed");
}

static void check_paths(void)
{
	_cleanup_close_ int tree = open_tree_of("paths");
	_cleanup_error_ struct error *err = NULL;
	struct stat st;
	size_t size;
	int fd;

	if (symlinkat("/tmp", tree, "link") < 0 || mkfifoat(tree, "pipe", 0600) < 0)
		abort();
	fd = openat(tree, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	tap_check(write_all(fd, "12345", 5) == 0 && !tree_read_file(tree, "file", 4, &size) &&
			  errno == EFBIG,
		  "a file larger than expected is not read");
	close(fd);
	tap_check(!tree_read_file(tree, "pipe", 4, &size) && errno == EFBIG, "a pipe is not read");
	tap_check(!tree_read_file(tree, "link", 4, &size), "a link is not followed for reading");
	tap_check(tree_make_dirs(tree, "a/" X256) == -1 && errno == ENAMETOOLONG,
		  "an overlong directory name is refused");
	tap_check(tree_make_dirs(tree, "link/a") == -1, "no directory is created behind a link");
	tap_check(tree_make_dirs(tree, "file/a") == -1, "no directory is created behind a file");
	tap_check(tree_open_entry(tree, "pipe", 0, S_IFREG, "pipe", &st, &err) == -1 && err &&
			  err->code == ERR_BUSY,
		  "a file replaced by a pipe counts as changed");
	error_free(&err);
	tap_check(tree_open_entry(tree, "none", 0, S_IFREG, "none", &st, &err) == -1 && err &&
			  err->code == ERR_SYSTEM,
		  "a removed file cannot be opened");
	tap_check(!tree_open_dir(tree, "link"), "a link is not opened as a directory");
	remove_tree("paths", tree, NULL);
}

#define EPOCH 1700000000

static bool has_time(int tree, const char *name, time_t seconds, long nanoseconds)
{
	struct stat st;

	return fstatat(tree, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtim.tv_sec == seconds &&
	       st.st_mtim.tv_nsec == nanoseconds;
}

/* Sets the time of NAME, and makes it first unless it exists. */
static bool timed(int tree, const char *name, time_t seconds, long nanoseconds)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
					  { .tv_sec = seconds, .tv_nsec = nanoseconds } };

	return (mknodat(tree, name, S_IFREG | 0400, 0) == 0 || errno == EEXIST) &&
	       utimensat(tree, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static void check_clamping(void)
{
	_cleanup_close_ int tree = open_tree_of("times");
	_cleanup_error_ struct error *err = NULL;

	tap_check(mkdirat(tree, "d", 0755) == 0 && timed(tree, "d/new", EPOCH + 1, 0) &&
			  timed(tree, "same", EPOCH, 0) && timed(tree, "later", EPOCH, 1) &&
			  timed(tree, "old", EPOCH - 1, 5) && symlinkat("old", tree, "link") == 0 &&
			  timed(tree, "d", EPOCH + 9, 0) && clamp_times(tree, EPOCH, &err) == 0,
		  "the times of a tree can be clamped: %s", error_text(err));
	tap_check(has_time(tree, "d/new", EPOCH, 0), "a later time is set to the epoch");
	tap_check(has_time(tree, "later", EPOCH, 0), "also one a nanosecond later");
	tap_check(has_time(tree, "same", EPOCH, 0) && has_time(tree, "old", EPOCH - 1, 5),
		  "other times stay");
	tap_check(has_time(tree, "link", EPOCH, 0), "a link gets the time, not its target");
	tap_check(has_time(tree, "d", EPOCH, 0) && has_time(tree, ".", EPOCH, 0),
		  "directories get it, and the tree's own");
	remove_tree("times", tree, NULL);
}

int main(void)
{
	alarm(50);
	if (!scratch_make(dir) || (top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	check_depth();
	check_clamping();
	check_paths();
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		/* Descriptors from before belong to the other namespace. */
		close(top);
		top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check_mount();
	} else {
		printf("ok %u - mounts in a tree # SKIP needs root\n", ++tap_count);
	}
	close(top);
	rmdir(dir);
	return tap_done();
}
