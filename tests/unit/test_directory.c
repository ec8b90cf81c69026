/* policy/reopen.c: in a policy's path, only root's symlinks are followed, and only if nobody but
 * root can replace them. Creating files of other users needs root here. */
#include "policy/canonical.h"
#include "policy/reopen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

#define OTHER 12345

static char top[SCRATCH_SIZE] = "directory";

/* Created in this order, below TOP. */
static const struct {
	const char *name, *target; /* NULL: a directory */
	uid_t owner;
	mode_t mode;
} entries[] = {
	{ "real", NULL, 0, 0755 },	    { "real/sub", NULL, 0, 0755 },
	{ "theirs", NULL, OTHER, 0755 },    { "open", NULL, 0, 0777 },
	{ "group", NULL, 0, 0775 },	    { "group/link", "../real", 0, 0 },
	{ "sticky", NULL, 0, 01777 },	    { "relative", "real", 0, 0 },
	{ "chain", "relative", 0, 0 },	    { "up", "real/sub/../../real", 0, 0 },
	{ "circle", "circle", 0, 0 },	    { "by-other", "real", OTHER, 0 },
	{ "theirs/link", "../real", 0, 0 }, { "open/link", "../real", 0, 0 },
	{ "sticky/link", "../real", 0, 0 }, { "dangling", "nothing", 0, 0 },
	{ "absolute", "/real", 0, 0 }, /* TOP is prepended */
};

static const struct {
	const char *path, *canonical; /* NULL: an error */
} rows[] = {
	{ "/real/sub", "/real/sub" },
	{ "/real/./sub/..", "/real" },
	{ "/relative/sub", "/real/sub" },
	{ "/chain/sub", "/real/sub" },
	{ "/up/sub", "/real/sub" },
	{ "/sticky/link/sub", "/real/sub" },
	{ "/by-other/sub", "/by-other/sub" },
	{ "/theirs/link/sub", "/theirs/link/sub" },
	{ "/open/link/sub", "/open/link/sub" },
	{ "/group/link/sub", "/group/link/sub" },
	{ "/relative/missing/x", "/real/missing/x" },
	{ "/dangling/x", "/nothing/x" },
	{ "/absolute/sub", "/real/sub" },
	{ "/circle", NULL },
};

static void make(int at)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		const char *name = entries[i].name, *target = entries[i].target;
		char whole[PATH_MAX];
		bool made;

		snprintf(whole, sizeof(whole), "%s%s", target && *target == '/' ? top : "",
			 target ? target : "");
		made = target ? symlinkat(whole, at, name) == 0
			      : mkdirat(at, name, 0700) == 0 &&
					fchmodat(at, name, entries[i].mode, 0) == 0;

		if (!made || (geteuid() == 0 &&
			      fchownat(at, name, entries[i].owner, 0, AT_SYMLINK_NOFOLLOW) < 0))
			perror(name);
	}
}

static void check_rows(void)
{
	char path[PATH_MAX], want[PATH_MAX], have[PATH_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int r;

		snprintf(path, sizeof(path), "%s%s", top, rows[i].path);
		snprintf(want, sizeof(want), "%s%s", top,
			 rows[i].canonical ? rows[i].canonical : "");
		r = directory_canonical(path, have);
		tap_check(rows[i].canonical ? r == 0 && strcmp(have, want) == 0 : r < 0, "%s: %s",
			  rows[i].path, rows[i].canonical ? rows[i].canonical : "an error");
	}
}

/* A path of LENGTH bytes that begins with TOP and NAME; the rest does not exist. */
static int resolve_long(const char *name, size_t length)
{
	char path[2 * PATH_MAX], have[PATH_MAX];
	int used = snprintf(path, sizeof(path), "%s/%s/", top, name);

	memset(path + used, 'x', length - (size_t)used);
	path[length] = '\0';
	return directory_canonical(path, have);
}

/* Paths are never truncated: one too long before, in or after a link is an error. */
static void check_long(int at)
{
	char far[PATH_MAX / 2] = "";

	for (size_t i = 0; i + 2 < sizeof(far); i += 2)
		memcpy(far + i, "./", 3);
	if (symlinkat(far, at, "far") < 0 || symlinkat("real/sub", at, "l") < 0)
		abort();
	tap_check(resolve_long("real", PATH_MAX) < 0, "a path that is too long is refused");
	tap_check(resolve_long("real", PATH_MAX - 1) == 0, "a path one byte shorter is accepted");
	tap_check(resolve_long("far", PATH_MAX - 1) < 0,
		  "a path that a link makes too long to read is refused");
	tap_check(resolve_long("l", PATH_MAX - 1) < 0,
		  "a path too long without its links is refused");
}

static void check_root(void)
{
	char have[PATH_MAX];

	tap_check(directory_canonical("/../../dev", have) == 0 && strcmp(have, "/dev") == 0,
		  "nothing is above the root");
}

static void check_opened(const char *name, bool good)
{
	_cleanup_close_ int own = -1, fd = -1;
	char path[PATH_MAX], want[PATH_MAX];
	struct stat a, b;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	snprintf(want, sizeof(want), "%s/real", top);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!good)
		rmdir(path);
	own = directory_open(fd, path, NULL);
	tap_check(good ? own >= 0 && own != fd && strcmp(path, want) == 0 && fstat(own, &a) == 0 &&
				  fstat(fd, &b) == 0 && a.st_ino == b.st_ino
		       : fd >= 0 && own < 0,
		  "a directory, opened as %s: %s", name, good ? "found again" : "not found again");
}

/* /proc may give a deleted directory the name of another one. */
static void check_impostor(void)
{
	_cleanup_close_ int own = -1, fd = -1;
	char path[PATH_MAX], gone[PATH_MAX];

	snprintf(gone, sizeof(gone), "%s/gone", top);
	if (mkdir(gone, 0755) < 0)
		abort();
	fd = open(gone, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/gone (deleted)", top);
	if (fd < 0 || rmdir(gone) < 0 || mkdir(path, 0755) < 0)
		abort();
	own = directory_open(fd, path, NULL);
	tap_check(own < 0 && strstr(path, " (deleted)"),
		  "another directory with the name is not accepted");
}

int main(void)
{
	_cleanup_close_ int at = -1;
	char command[256];

	if (!scratch_make(top) || (at = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	make(at);
	/* Without root, all links belong to others and are not followed. */
	if (geteuid() == 0) {
		check_rows();
		check_long(at);
	} else {
		printf("ok %u - root's links # SKIP needs root\n", ++tap_count);
	}
	check_root();
	check_opened("real", true);
	check_opened("relative", true);
	check_opened("real/sub", false);
	check_impostor();
	tap_check(directory_open_path("/proc/self/cwd", O_PATH) < 0,
		  "magic links are not followed");
	tap_check(directory_open(-1, (char[PATH_MAX]){ 0 }, NULL) < 0,
		  "a closed descriptor has no path");
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) ? 1 : tap_done();
}
