/* Provides fstests: a tree that the user has built, or one built here, in a rootfs of the release
 * that it will run in, and cached under the hash of its sources. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "frontend/fstests/fstests_source.h"
#include "frontend/archive/cache.h"
#include "frontend/archive/sums.h"
#include "frontend/cli/child.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/client/tree_digest.h"
#include "frontend/rootfs/image_cache.h"
#include "lib/error_wrap.h"
#include "lib/hash.h"

#define BUILD_PROFILE "fstests-build"
#define STAGING ".new-"
#define BUILD_SCRIPT "guest/build-fstests.sh"
#define SCRIPT_MOST 65536
#define LOG_LINES 1500 /* how many bytes of the end of a build log are shown */

struct build {
	const char *source; /* the user's tree */
	const char *keyring;
	const struct manifest *manifest;
	char *cache, *rootfs, *program; /* program: our own path */
	char *script;			/* builds fstests in the jail of the build rootfs */
	char key[2 * SHA256_LEN + 1];
	int dir;		     /* open on CACHE, locked */
	int rootfs_dir, rootfs_lock; /* digest_lock() */
	int archive, log;
};

static void build_clear(struct build *b)
{
	free(b->cache);
	free(b->rootfs);
	free(b->program);
	free(b->script);
	closep(&b->dir);
	closep(&b->rootfs_dir);
	closep(&b->rootfs_lock);
	closep(&b->archive);
	closep(&b->log);
}

static bool fstests_source_has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) >= 0 && access(path, F_OK) == 0;
}

static int check_tree(const char *dir, bool built, struct error **err)
{
	if (!fstests_source_has(dir, "check") || !fstests_source_has(dir, "tests"))
		return error_set(err, ERR_INPUT,
				 "%s is not an fstests tree: check or tests is missing; run: git "
				 "clone git://git.kernel.org/pub/scm/fs/xfs/xfstests-dev.git",
				 dir);
	if (built && fstests_source_has(dir, "ltp/fsstress.c") &&
	    !fstests_source_has(dir, "ltp/fsstress"))
		return error_set(err, ERR_INPUT,
				 "fstests in %s is not built; use --build, or run: make -C %s", dir,
				 dir);
	return 0;
}

/* Lists the files that git tracks or would add; without git, all files. */
static int list_files(const struct build *b, int list, struct error **err)
{
	const char *git[] = { "git", "-C",	 b->source,  "ls-files",
			      "-z",  "--cached", "--others", "--exclude-standard",
			      NULL };
	const int stdio[3] = { -1, list, -1 };
	pid_t pid;
	int status;

	if (fstests_source_has(b->source, ".git")) {
		if (child_start(git, stdio, &pid, err) < 0)
			return -1;
		status = child_wait(pid, err);
		if (status < 0)
			return -1;
		if (status == 0 && lseek(list, 0, SEEK_END) > 0)
			return 0;
	}
	if (ftruncate(list, 0) < 0 || pwrite(list, ".", 2, 0) != 2)
		return error_errno(err, ERR_SYSTEM, "cannot list the files of fstests");
	return 0;
}

/* The same script makes the same build from the same sources. */
static int name_build(struct build *b, const uint8_t source[static SHA256_LEN], struct error **err)
{
	_cleanup_free_ char *path = paths_data(BUILD_SCRIPT, err);
	uint8_t sums[2 * SHA256_LEN], sum[SHA256_LEN];

	b->script = path ? file_read(path, SCRIPT_MOST, NULL, err) : NULL;
	if (!b->script)
		return -1;
	memcpy(sums, source, SHA256_LEN);
	hash_of(b->script, strlen(b->script), sums + SHA256_LEN);
	hash_of(sums, sizeof(sums), sum);
	sha256_to_hex(sum, b->key);
	return 0;
}

/* The same files produce the same archive. */
static int archive_source(struct build *b, struct error **err)
{
	_cleanup_close_ int list = memfd_create("list", MFD_CLOEXEC);
	const char *tar[] = { "tar",
			      "-C",
			      b->source,
			      "--sort=name",
			      "--mtime=@0",
			      "--owner=0",
			      "--group=0",
			      "--numeric-owner",
			      "--exclude=./.git",
			      "--null",
			      "-T",
			      "/dev/stdin",
			      "-c",
			      NULL };
	int stdio[3] = { list, -1, -1 };
	uint8_t sum[SHA256_LEN];

	b->archive = memfd_create("fstests.tar", MFD_CLOEXEC);
	if (list < 0 || b->archive < 0)
		return error_errno(err, ERR_SYSTEM, "cannot pack fstests");
	if (list_files(b, list, err) < 0)
		return -1;
	lseek(list, 0, SEEK_SET);
	stdio[1] = b->archive;
	if (child_run(tar, stdio, "pack fstests", err) < 0 || file_sha256(b->archive, sum, err) < 0)
		return -1;
	return name_build(b, sum, err);
}

static int run_rootlet(const struct build *b, const char *const *words, const char *name,
		       struct error **err)
{
	const int stdio[3] = { -1, b->log, b->log };
	const char *argv[24] = { b->program };

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	return child_run(argv, stdio, name, err);
}

typedef int digest_user(struct helper *h, int lock, int dir, const char *name, struct error **err);

/* USE is digest_check() or digest_keep(). */
static int use_digest(const struct build *b, digest_user *use, struct error **err)
{
	const char *name = strrchr(b->rootfs, '/') + 1;
	struct helper *helper = NULL;
	int r = helper_start("fstests", NULL, &helper, err);

	if (r == 0)
		r = use(helper, b->rootfs_lock, b->rootfs_dir, name, err);
	helper_stop(&helper);
	return r;
}

static bool fstests_source_is_ready(const struct build *b, struct progress *progress,
				    struct error **err)
{
	const char *check[] = { "check", "--path", b->rootfs, NULL };
	_cleanup_error_ struct error *why = NULL;

	if (access(b->rootfs, F_OK) < 0)
		return false;
	if (use_digest(b, digest_check, &why) == 0 &&
	    run_rootlet(b, check, "check the rootfs to build in", &why) == 0)
		return true;
	if (why && why->code == ERR_INTERRUPTED)
		*err = STEAL_PTR(why);
	else if (why && why->code == ERR_TRUST)
		progress_note(progress,
			      "the build rootfs in the cache is damaged, rebuilding it: %s",
			      why->message);
	return false;
}

/* Creates the build rootfs as any other, with this program. A build leaves nothing in it: it runs
 * in a private /tmp. */
static int make_rootfs(const struct build *b, struct progress *progress, struct error **err)
{
	const char *create[] = { "create",
				 "--quiet",
				 "--force",
				 "--path",
				 b->rootfs,
				 "--profile",
				 BUILD_PROFILE,
				 "--release",
				 b->manifest->suite,
				 "--arch",
				 b->manifest->arch,
				 "--mirror",
				 b->manifest->mirror,
				 b->keyring ? "--keyring" : NULL,
				 b->keyring,
				 NULL };

	if (fstests_source_is_ready(b, progress, err))
		return 0;
	if (*err)
		return -1;
	progress_stage(progress, "Creating a rootfs to build fstests in");
	if (run_rootlet(b, create, "create a rootfs to build fstests in", err) < 0)
		return -1;
	return use_digest(b, digest_keep, err);
}

static int end_pipe(pid_t producer, pid_t consumer, struct error **err)
{
	_cleanup_error_ struct error *second = NULL;
	int first = child_wait(producer, err), last = child_wait(consumer, &second);

	if (first < 0)
		return -1;
	if (first == 0 && last == 0)
		return 0;
	return error_set(err, ERR_SYSTEM, "cannot build fstests: make failed with status %d",
			 first ? first : last);
}

static int compile(const struct build *b, const char *staging, struct error **err)
{
	const char *shell[] = { b->program, "shell", "--path",	b->rootfs, "--",
				"bash",	    "-c",    b->script, NULL };
	const char *unpack[] = { "tar", "-C", staging, "-x", NULL };
	_cleanup_close_ int out = -1, in = -1;
	pid_t producer, consumer;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	out = ends[0];
	in = ends[1];
	lseek(b->archive, 0, SEEK_SET);
	if (child_start(shell, (int[3]){ b->archive, in, b->log }, &producer, err) < 0)
		return -1;
	closep(&in);
	in = -1;
	if (child_start(unpack, (int[3]){ out, -1, b->log }, &consumer, err) < 0) {
		child_wait(producer, NULL);
		return -1;
	}
	closep(&out);
	out = -1;
	return end_pipe(producer, consumer, err);
}

/* Prints the end of the log, which explains a failure. */
static int fstests_source_explain(const struct build *b, struct error **err)
{
	char text[LOG_LINES + 1];
	off_t size = lseek(b->log, 0, SEEK_END);
	ssize_t n;

	if (!*err || (*err)->code != ERR_SYSTEM)
		return -1;
	n = pread(b->log, text, LOG_LINES, size > LOG_LINES ? size - LOG_LINES : 0);
	text[n > 0 ? n : 0] = '\0';
	text_clean_lines(text);
	fprintf(stderr, "%s%s", text, n > 0 && text[n - 1] != '\n' ? "\n" : "");
	return -1;
}

/* Removes what killed runs left behind, under any key, and trees that were replaced while in use.
 * Only the holder of the lock creates such directories. */
static void fstests_source_sweep(int cache)
{
	int fd = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		closep(&fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (text_has_prefix(entry->d_name, STAGING))
			dir_discard(cache, entry->d_name);
	closedir(dir);
}

/* Gives the built tree its final name, replacing a damaged one. */
static int fstests_source_keep(const struct build *b, const char *staging, const char *name,
			       const char *target, struct error **err)
{
	_cleanup_close_ int fd = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!fstests_source_has(staging, "check"))
		return error_set(err, ERR_SYSTEM,
				 "cannot build fstests: the build produced no check script");
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", staging);
	if (sums_write(fd, NULL, err) < 0)
		return -1;
	if (dir_publish(b->dir, name, strrchr(target, '/') + 1) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot save the built tree at %s", target);
	dir_discard(b->dir, name);
	return 0;
}

static int build_tree(struct build *b, const char *target, struct progress *progress,
		      struct error **err)
{
	_cleanup_free_ char *staging = NULL;
	char name[sizeof(b->key) + 8];

	b->rootfs_lock = digest_lock(b->rootfs_dir, strrchr(b->rootfs, '/') + 1, LOCK_EX, err);
	if (b->rootfs_lock < 0)
		return -1;
	if (make_rootfs(b, progress, err) < 0)
		return fstests_source_explain(b, err);
	snprintf(name, sizeof(name), STAGING "%s", b->key);
	if (asprintf(&staging, "%s/%s", b->cache, name) < 0 || mkdir(staging, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a directory in %s", b->cache);
	progress_stage(progress, "Building fstests");
	if (compile(b, staging, err) < 0) {
		dir_remove(b->dir, name);
		return fstests_source_explain(b, err);
	}
	if (fstests_source_keep(b, staging, name, target, err) == 0)
		return 0;
	dir_remove(b->dir, name);
	return -1;
}

static int prepare_build(struct build *b, struct error **err)
{
	_cleanup_free_ char *parent = cache_path("build", err);

	b->cache = cache_path("fstests", err);
	b->program = realpath("/proc/self/exe", NULL);
	if (!parent || !b->cache)
		return -1;
	if (!b->program ||
	    asprintf(&b->rootfs, "%s/%s-%s", parent, b->manifest->suite, b->manifest->arch) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the build of fstests");
	b->dir = open(b->cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->rootfs_dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->log = memfd_create("build.log", MFD_CLOEXEC);
	if (b->dir < 0 || b->rootfs_dir < 0 || b->log < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", b->cache);
	/* If two runs start at once, the second waits and then finds the first one's build. */
	if (RETRY_ON_EINTR(flock(b->dir, LOCK_EX)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot lock %s", b->cache);
	fstests_source_sweep(b->dir);
	return archive_source(b, err);
}

/* Reads the whole tree: this takes less than a second, a run takes minutes. */
static bool is_whole(const char *target, struct progress *progress)
{
	_cleanup_close_ int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_error_ struct error *why = NULL;

	if (fd < 0)
		return false;
	if (sums_verify(fd, NULL, &why) == 0)
		return true;
	progress_note(progress, "the fstests build in the cache is damaged, rebuilding it: %s",
		      error_text(why));
	return false;
}

static int fstests_source_find_or_build(const char *source, const char *keyring,
					const struct manifest *manifest, struct progress *progress,
					char **dir, struct error **err)
{
	_cleanup_(build_clear) struct build b = {
		.source = source,
		.keyring = keyring,
		.manifest = manifest,
		.dir = -1,
		.rootfs_dir = -1,
		.rootfs_lock = -1,
		.archive = -1,
		.log = -1,
	};
	_cleanup_free_ char *target = NULL;

	if (prepare_build(&b, err) < 0)
		return -1;
	if (asprintf(&target, "%s/%s-%s-%s", b.cache, manifest->suite, manifest->arch, b.key) < 0)
		return error_no_memory(err);
	if (!is_whole(target, progress) && build_tree(&b, target, progress, err) < 0)
		return -1;
	cache_touch(target);
	cache_hold(target);
	*dir = STEAL_PTR(target);
	return 0;
}

void source_free(struct fstests_source *source)
{
	free(source->dir);
	free(source->image);
	*source = (struct fstests_source){ 0 };
}

static char *fstests_source_open(const struct fstests_options *o, struct error **err)
{
	_cleanup_free_ char *tree = realpath(o->fstests, NULL);

	if (!tree && errno != ENOENT) {
		error_errno(err, ERR_INPUT, "cannot open the fstests tree %s", o->fstests);
		return NULL;
	}
	return check_tree(tree ? tree : o->fstests, !o->build, err) < 0 ? NULL : STEAL_PTR(tree);
}

int source_check(const struct fstests_options *o, struct error **err)
{
	_cleanup_free_ char *tree = fstests_source_open(o, err);

	return tree ? 0 : -1;
}

int source_prepare(const struct fstests_options *o, const struct manifest *manifest,
		   const char *format, struct progress *progress, struct fstests_source *source,
		   struct error **err)
{
	_cleanup_free_ char *tree = fstests_source_open(o, err);

	*source = (struct fstests_source){ 0 };
	if (!tree)
		return -1;
	if (!o->build)
		source->dir = STEAL_PTR(tree);
	else if (fstests_source_find_or_build(tree, o->keyring, manifest, progress, &source->dir,
					      err) < 0)
		return -1;
	if (format && image_of_dir(source->dir, format, &source->image, err) < 0)
		return error_wrap(err, "fstests");
	snprintf(source->text, sizeof(source->text), "%s%s", format ? "disk " : "directory ",
		 format ? format : FSTESTS_SHARE);
	return 0;
}
