#include "frontend/rootfs/image_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/sums.h"
#include "frontend/cli/child.h"
#include "frontend/cli/directory.h"
#include "lib/hash.h"
#include "proto/validate.h"

#define PLACE_DIGITS 16
#define STATE_DIGITS 32
#define KEPT_SECONDS (30 * 24 * 60 * 60)

static int name_image(const char *place, const void *state, size_t size, const char *format,
		      char **name, struct error **err)
{
	uint8_t place_sum[SHA256_LEN], state_sum[SHA256_LEN];
	char place_hex[2 * SHA256_LEN + 1], state_hex[2 * SHA256_LEN + 1];

	hash_of(place, strlen(place), place_sum);
	hash_of(state, size, state_sum);
	sha256_to_hex(place_sum, place_hex);
	sha256_to_hex(state_sum, state_hex);
	if (asprintf(name, "%.*s-%.*s.%s", PLACE_DIGITS, place_hex, STATE_DIGITS, state_hex,
		     format) < 0)
		return error_no_memory(err);
	return 0;
}

/* Hidden files are checksums. Removes those whose image a killed run or the user removed. */
static void remove_orphan(int dir, const char *entry)
{
	char name[NAME_MAX + 1];
	size_t length = strlen(entry);

	if (length <= strlen("..sums"))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(length - strlen("..sums")), entry + 1);
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		unlinkat(dir, entry, 0);
}

/* Removes images of older states of this place, and images unused for a month. An image that a run
 * holds stays: it may boot from it again. */
static void remove_former(int dir, const char *name)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const char *format = strrchr(name, '.');
	int64_t oldest = time(NULL) - KEPT_SECONDS;
	const struct dirent *entry;

	if (!directory) {
		closep(&fd);
		return;
	}
	while ((entry = readdir(directory))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (entry->d_name[0] == '.')
			remove_orphan(dir, entry->d_name);
		else if (((dot && strcmp(dot, format) == 0 &&
			   strncmp(entry->d_name, name, PLACE_DIGITS + 1) == 0) ||
			  sums_used(dir, entry->d_name) < oldest) &&
			 dir_discard(dir, entry->d_name) == 0)
			sums_remove(dir, entry->d_name);
	}
	closedir(directory);
}

static int build_into(int dir, const char *name, image_builder *build, void *context,
		      struct error **err)
{
	_cleanup_close_ int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char self[32];

	if (fd < 0 || fchmod(fd, 0666) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create an image in the cache");
	if (build(fd, context, err) < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	/* Later runs trust times and sizes, so the data must survive a power cut as well. */
	if (fchmod(fd, 0600) < 0 || fsync(fd) < 0 ||
	    linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot save an image in the cache");
	return sums_write(dir, name, err);
}

int image_cached(const char *place, const void *state, size_t size, const char *format,
		 image_builder *build, void *context, char **path, struct error **err)
{
	_cleanup_free_ char *parent = cache_path("images", err);
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *found = NULL;
	_cleanup_close_ int dir = -1;

	if (!parent || name_image(place, state, size, format, &name, err) < 0)
		return -1;
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || asprintf(&found, "%s/%s", parent, name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", parent);
	if (RETRY_ON_EINTR(flock(dir, LOCK_EX)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot lock %s", parent);
	if (sums_check(dir, name, NULL) < 0) {
		/* Remove a damaged image even if a run uses it: the run has it open. */
		if (unlinkat(dir, name, 0) == 0)
			sums_remove(dir, name);
		remove_former(dir, name);
		if (build_into(dir, name, build, context, err) < 0)
			return -1;
	}
	/* Record the use elsewhere: the image's own timestamps must not change. */
	sums_touch(dir, name);
	cache_hold(found);
	*path = STEAL_PTR(found);
	return 0;
}

/* --- images of the user's directories --------------------------------------------------------- */

static const struct maker {
	const char *format, *program;
} makers[] = { { "erofs", "mkfs.erofs" }, { "ext4", "mke2fs" }, { "squashfs", "mksquashfs" } };

/* Ordinary users often have no sbin directory in PATH. */
static bool image_find_program(const char *format, char path[static 64])
{
	static const char *const dirs[] = { "/usr/bin", "/usr/sbin", "/bin", "/sbin" };

	for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++)
		for (size_t j = 0; j < sizeof(dirs) / sizeof(*dirs); j++) {
			snprintf(path, 64, "%s/%s", dirs[j], makers[i].program);
			if (strcmp(makers[i].format, format) == 0 && access(path, X_OK) == 0)
				return true;
		}
	return false;
}

bool image_can_make(const char *format)
{
	char path[64];

	return image_find_program(format, path);
}

/* nftw(3) passes no context to its callback. */
static struct census {
	uint64_t bytes, files;
	struct sha256_ctx digest;
	size_t skip; /* length of the directory's own path */
} census;

static int image_visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const int64_t facts[] = { (int64_t)st->st_ino, st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
				  st->st_size };

	if (where->level == 1 && strcmp(path + where->base, ".git") == 0)
		return FTW_SKIP_SUBTREE;
	/* Skip the directory itself: cache_touch() changes its times. */
	if (type == FTW_NS || where->level == 0)
		return FTW_CONTINUE;
	/* The image does not keep the source filesystem's compression or holes. */
	census.bytes += st->st_blocks * 512 > st->st_size ? (uint64_t)st->st_blocks * 512
							  : (uint64_t)(st->st_size + 4095);
	census.files++;
	hash_add(&census.digest, path + census.skip, strlen(path + census.skip) + 1);
	hash_add(&census.digest, facts, sizeof(facts));
	return FTW_CONTINUE;
}

static int take_census(const char *dir, uint8_t sum[static SHA256_LEN], struct error **err)
{
	census = (struct census){ .skip = strlen(dir) };
	sha256_init(&census.digest);
	if (nftw(dir, image_visit, 64, FTW_PHYS | FTW_ACTIONRETVAL) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot scan %s", dir);
	hash_end(&census.digest, sum);
	return 0;
}

struct dir {
	const char *path, *format;
};

/* mke2fs keeps the owners of files. Sets those of all inodes after the reserved ones: nobody else
 * can tell which are in use. debugfs writes to its standard streams, so it cannot have the image
 * there. */
#define FIRST_INODE 11u
#define BYTES_PER_INODE 4096u
#define BYTES_PER_INODE_TEXT "4096"

static int give_to_root(int fd, uint64_t size, struct error **err)
{
	_cleanup_close_ int script = memfd_create("owners", MFD_CLOEXEC);
	_cleanup_fclose_ FILE *out = script < 0 ? NULL : fdopen(dup(script), "w");
	char image[48];
	const char *argv[] = { "debugfs", "-w", "-f", "/proc/self/fd/0", image, NULL };

	snprintf(image, sizeof(image), "/proc/%d/fd/%d", getpid(), fd);
	for (uint64_t i = FIRST_INODE; out && i < size / BYTES_PER_INODE; i++)
		fprintf(out, "sif <%ju> uid 0\nsif <%ju> gid 0\n", (uintmax_t)i, (uintmax_t)i);
	if (!out || fflush(out) != 0 || lseek(script, 0, SEEK_SET) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set the owners of an image's files");
	return child_run(argv, (int[3]){ script, -1, -1 }, "set the owners of an image's files",
			 err);
}

static int build_dir(int fd, void *context, struct error **err)
{
	const struct dir *f = context;
	char program[64];
	const char *erofs[] = { program,
				"--quiet",
				"-Eforce-inode-extended",
				"--all-root",
				"--exclude-regex=^\\.git$",
				"/proc/self/fd/0",
				f->path,
				NULL };
	const char *ext4[] = { program,
			       "-q",
			       "-F",
			       "-t",
			       "ext4",
			       "-O",
			       "^has_journal",
			       "-m",
			       "0",
			       "-i",
			       BYTES_PER_INODE_TEXT,
			       "-E",
			       "root_owner=0:0",
			       "-d",
			       f->path,
			       "/proc/self/fd/0",
			       NULL };
	const char *squashfs[] = { program,
				   f->path,
				   "/proc/self/fd/0",
				   "-noappend",
				   "-no-progress",
				   "-quiet",
				   "-noI",
				   "-noD",
				   "-noF",
				   "-noX",
				   "-all-root",
				   "-e",
				   ".git",
				   NULL };
	const int stdio[3] = { fd, -1, STDERR_FILENO };
	bool sized = strcmp(f->format, "ext4") == 0;
	const char *const *argv = sized ? ext4 : strcmp(f->format, "erofs") == 0 ? erofs : squashfs;
	uint64_t size =
		census.bytes + census.bytes / 5 + census.files * 4096 + (UINT64_C(32) << 20);

	if (!image_find_program(f->format, program))
		return error_set(err, ERR_HOST,
				 "cannot create an image: no program for %s found; run: "
				 "apt install erofs-utils e2fsprogs squashfs-tools",
				 f->format);
	if (sized && ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create an image of %llu bytes",
				   (unsigned long long)size);
	if (child_run(argv, stdio, "make an image", err) < 0)
		return -1;
	return sized ? give_to_root(fd, size, err) : 0;
}

int image_of_dir(const char *path, const char *format, char **image, struct error **err)
{
	struct dir dir = { path, format };
	uint8_t state[SHA256_LEN];

	if (take_census(path, state, err) < 0)
		return -1;
	return image_cached(path, state, sizeof(state), format, build_dir, &dir, image, err);
}
