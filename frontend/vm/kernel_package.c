/* Cache layout: kernels/VERSION_REVISION/ holds boot/vmlinuz, boot/config, lib/modules/VERSION and
 * their checksums (sums.h). kernels/SUITE-ARCH is a symbolic link to the newest kernel of a
 * release. If signatures were checked against the user's own keyring, both names end with its hash.
 */
#include "frontend/vm/kernel_package.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/packages.h"
#include "frontend/archive/sums.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/text.h"
#include "lib/error_wrap.h"

#define FRESH_SECONDS (24 * 60 * 60)
#define KEYS_SIZE (2 * SHA256_LEN + 2)
#define DEPTH_MAX 64 /* maximum directory depth in a kernel package */

extern char **environ;

/* Returns the version in the name of an image or modules package ("linux-image-6.1.0-56-amd64"), or
 * NULL for any other package, including metapackages. */
static const char *package_version(const char *name)
{
	static const char *const prefixes[] = { "linux-image-unsigned-", "linux-image-",
						"linux-modules-extra-", "linux-modules-" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (text_has_prefix(name, prefixes[i]) && name[strlen(prefixes[i])] >= '0' &&
		    name[strlen(prefixes[i])] <= '9')
			return name + strlen(prefixes[i]);
	return NULL;
}

static const struct package *find_image(const struct package_set *set)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (text_has_prefix(set->packages[i].name, "linux-image-") &&
		    package_version(set->packages[i].name))
			return &set->packages[i];
	return NULL;
}

/* Creates modules.dep and related files. Some distributions' depmod looks below usr/. */
static int run_depmod(const char *dir, const char *version, struct error **err)
{
	const char *argv[] = { "depmod", "-b", dir, version, NULL };
	static const char *const programs[] = { "/usr/sbin/depmod", "/sbin/depmod",
						"/usr/bin/depmod" };
	_cleanup_free_ char *usr = NULL;
	_cleanup_free_ char *link = NULL;
	int status = -1;
	pid_t child;

	if (asprintf(&usr, "%s/usr", dir) < 0 || asprintf(&link, "%s/usr/lib", dir) < 0 ||
	    mkdir(usr, 0755) < 0 || symlink("../lib", link) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot index the kernel's modules in %s", dir);
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (posix_spawn(&child, programs[i], NULL, NULL, (char *const *)argv, environ) != 0)
			continue;
		if (RETRY_ON_EINTR(waitpid(child, &status, 0)) == child && status == 0)
			return 0;
		return error_set(err, ERR_SYSTEM,
				 "cannot index the kernel's modules in %s: depmod failed", dir);
	}
	return error_set(
		err, ERR_HOST,
		"cannot index the kernel's modules: depmod is missing; run: apt install kmod");
}

/* Accepts only directories and regular files that are ours and have a single link. depmod and
 * others write in this tree next, and a link could lead them elsewhere. Takes over DIRECTORY. */
static int check_plain(int directory, int depth, struct error **err)
{
	DIR *list = depth < DEPTH_MAX ? fdopendir(directory) : NULL;
	int r = 0;

	if (!list) {
		closep(&directory);
		return error_set(err, ERR_INPUT, "cannot list a directory of a kernel package");
	}
	for (const struct dirent *entry; r == 0 && (entry = readdir(list));) {
		_cleanup_close_ int below = -1;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(list), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_uid != geteuid() || (st.st_mode & (S_ISUID | S_ISGID)) ||
		    (!S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_nlink != 1)))
			r = error_set(err, ERR_INPUT,
				      "a kernel package contains a link, a special file, or a file "
				      "with unexpected owner or mode");
		else if (S_ISDIR(st.st_mode)) {
			below = openat(dirfd(list), entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			r = check_plain(steal_fd(&below), depth + 1, err);
		}
	}
	closedir(list);
	return r;
}

/* Unpacks every package of VERSION into STAGING and completes it. FD is open on STAGING. */
static int kernel_package_fill(struct fetch *f, const char *version, int fd, const char *staging,
			       struct error **err)
{
	const struct package_set *set = packages_set(f);

	for (size_t i = 0; i < set->package_count; i++) {
		const char *has = package_version(set->packages[i].name);

		if (has && strcmp(has, version) == 0 && packages_unpack(f, i, err) < 0)
			return -1;
	}
	packages_settle(f);
	if (check_plain(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, err) < 0)
		return -1;
	if (faccessat(fd, "boot/vmlinuz", R_OK, 0) < 0)
		return error_set(err, ERR_INPUT, "the packages of Linux %s contain no kernel",
				 version);
	if (run_depmod(staging, version, err) < 0)
		return -1;
	return sums_write(fd, NULL, err);
}

/* Removes what killed runs left behind, and kernels that were replaced while in use. Only the
 * holder of the lock creates such files. */
static void kernel_package_sweep(int kernels)
{
	int fd = openat(kernels, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		closep(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (text_has_prefix(entry->d_name, ".new-") ||
		    text_has_prefix(entry->d_name, ".link-"))
			dir_discard(kernels, entry->d_name);
	closedir(dir);
}

/* Staging directory for a kernel, beside the others, with a name that kernel_package_sweep()
 * removes. */
struct staging {
	int kernels; /* open on PARENT; owned by the caller */
	const char *parent;
	char *path;
	int fd;
};

static int kernel_package_make_staging(struct staging *staging, struct error **err)
{
	if (asprintf(&staging->path, "%s/.new-XXXXXX", staging->parent) < 0) {
		staging->path = NULL;
		return error_no_memory(err);
	}
	if (!mkdtemp(staging->path)) {
		error_errno(err, ERR_SYSTEM, "cannot create a directory in %s", staging->parent);
		free(staging->path);
		staging->path = NULL;
		return -1;
	}
	staging->fd = open(staging->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return staging->fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", staging->path) : 0;
}

static const char *staging_name(const struct staging *staging)
{
	return strrchr(staging->path, '/') + 1;
}

static void staging_clear(struct staging *staging)
{
	closep(&staging->fd);
	if (staging->path)
		dir_discard(staging->kernels, staging_name(staging));
	free(staging->path);
}

/* Creates kernels/NAME atomically, replacing a damaged one. */
static int install(struct fetch *f, const char *version, const char *name,
		   const struct staging *staging, struct error **err)
{
	if (kernel_package_fill(f, version, staging->fd, staging->path, err) < 0)
		return -1;
	if (dir_publish(staging->kernels, staging_name(staging), name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create %s/%s", staging->parent, name);
	return 0;
}

/* Points the link kernels/SUITE-ARCH to NAME, atomically. */
static int point(int kernels, const char *link, const char *name, struct error **err)
{
	_cleanup_free_ char *temporary = NULL;

	if (asprintf(&temporary, ".link-%d", (int)getpid()) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot record the kernel");
	unlinkat(kernels, temporary, 0);
	if (symlinkat(name, kernels, temporary) < 0 ||
	    renameat(kernels, temporary, kernels, link) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot record the kernel as %s", link);
	return 0;
}

/* Sets KEYS to "", or to "-" and the keyring's hash, so that a kernel signed with other keys is
 * never taken for the distribution's. */
static int name_keys(const char *keyring, char keys[static KEYS_SIZE], struct error **err)
{
	_cleanup_close_ int fd = -1;
	uint8_t sum[SHA256_LEN];

	keys[0] = '\0';
	if (!keyring)
		return 0;
	fd = open(keyring, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_INPUT, "cannot open the keyring %s", keyring);
	if (file_sha256(fd, sum, err) < 0)
		return -1;
	keys[0] = '-';
	sha256_to_hex(sum, keys + 1);
	return 0;
}

/* "6.1.0-56-amd64_6.1.192-2": a package can be revised without a new kernel version. */
static char *dir_name(const struct package *image, const char *keys)
{
	char *name;

	if (asprintf(&name, "%s_%s%s", package_version(image->name), image->version, keys) < 0)
		return NULL;
	for (char *p = name; *p; p++)
		if (*p == ':' || *p == '/')
			*p = '_';
	return name;
}

/* Checks kernels/NAME, which may be the link, against its checksums. Reads the kernel image in
 * full; the other files are only checked with stat. */
static int kernel_package_check(int kernels, const char *name, struct error **err)
{
	_cleanup_close_ int fd = openat(kernels, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, ERR_MISSING, "cannot open the kernel %s", name);
	return sums_check(fd, NULL, err) < 0 ? -1 : sums_verify_file(fd, "boot/vmlinuz", err);
}

/* The context of fetch() and its callees. */
struct errand {
	const struct manifest *manifest;
	const char *keyring, *keys; /* see name_keys() */
	const char *link;	    /* in KERNELS */
	struct helper *helper;
	struct progress *progress;
	int kernels;
	const char *parent; /* KERNELS is open on it */
};

/* The requested packages, and the kernel found for them. */
struct selection {
	char *meta, *extra; /* packages */
	const char *packages[2], *optional[2];
	struct wanted wanted;
	char *version, *name; /* of the kernel, and of its directory */
};

static void selection_clear(struct selection *s)
{
	free(s->meta);
	free(s->extra);
	free(s->version);
	free(s->name);
}

/* Resolves the packages and finds the kernel among them. */
static int select_kernel(const struct errand *e, struct fetch *f, struct selection *s,
			 struct error **err)
{
	const struct package *image;

	if (packages_choose(f, BASE_NONE, &s->wanted, err) < 0)
		return error_wrap(err, "cannot fetch the kernel of %s", e->manifest->suite);
	image = find_image(packages_set(f));
	if (!image)
		return error_set(err, ERR_INPUT, "%s of %s does not depend on a kernel", s->meta,
				 e->manifest->suite);
	free(s->version);
	free(s->name);
	s->version = strdup(package_version(image->name));
	s->name = dir_name(image, e->keys);
	return s->version && s->name ? 0 : error_no_memory(err);
}

/* Ubuntu ships some modules, including some filesystems, in a package that only the variants with
 * all firmware depend on. If the release has no such package, goes on without it. */
static int select_extra(const struct errand *e, struct fetch *f, struct selection *s,
			struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;

	if (asprintf(&s->extra, "linux-modules-extra-%s", s->version) < 0) {
		s->extra = NULL;
		return error_no_memory(err);
	}
	s->optional[0] = s->extra;
	if (select_kernel(e, f, s, &ignored) == 0)
		return 0;
	s->optional[0] = NULL;
	return select_kernel(e, f, s, err);
}

/* A process that has talked to the mirror must not decide which kernel is booted. A process that
 * never did resolves the packages again, from the signed release file on, and unpacks files that it
 * has hashed itself. */
static int kernel_package_unpack_again(const struct errand *e, struct fetch *f, struct selection *s,
				       const struct staging *staging, struct error **err)
{
	_cleanup_free_ char *name = STEAL_PTR(s->name);

	if (packages_offline(f, staging->path, err) < 0 || select_kernel(e, f, s, err) < 0 ||
	    packages_download(f, NULL, NULL, err) < 0)
		return -1;
	if (strcmp(s->name, name) != 0)
		return error_set(err, ERR_TRUST,
				 "the mirror's package lists name the kernel %s, not %s", s->name,
				 name);
	return install(f, s->version, s->name, staging, err);
}

/* Downloads and unpacks the chosen packages. */
static int bring(const struct errand *e, struct fetch *f, struct selection *s, struct error **err)
{
	_cleanup_(staging_clear) struct staging staging = { e->kernels, e->parent, NULL, -1 };

	progress_stage(e->progress, "Downloading packages of the kernel");
	if (packages_download(f, NULL, NULL, err) < 0)
		return error_wrap(err, "cannot fetch the kernel of %s", e->manifest->suite);
	progress_stage(e->progress, "Unpacking the kernel");
	return kernel_package_make_staging(&staging, err) < 0
		       ? -1
		       : kernel_package_unpack_again(e, f, s, &staging, err);
}

static int fetch(const struct errand *e, struct error **err)
{
	bool ubuntu = e->manifest->distribution && strcmp(e->manifest->distribution, "Ubuntu") == 0;
	/* Other rootfs use the kernel, too: its archive must not be older because this one's is. */
	const struct source source = { .suite = e->manifest->suite,
				       .arch = e->manifest->arch,
				       .mirror = e->manifest->dated ? NULL : e->manifest->mirror,
				       .keyring = e->keyring,
				       .purpose = "the kernel" };
	_cleanup_(selection_clear) struct selection s = { .meta = NULL };
	_cleanup_(packages_close) struct fetch *f = NULL;

	if (asprintf(&s.meta, "linux-image-%s", ubuntu ? "virtual" : e->manifest->arch) < 0) {
		s.meta = NULL;
		return error_no_memory(err);
	}
	s.packages[0] = s.meta;
	s.wanted = (struct wanted){ s.packages, s.optional };
	if (packages_open(&source, e->helper, e->progress, &f, err) < 0)
		return error_wrap(err, "cannot fetch the kernel of %s", e->manifest->suite);
	if (select_kernel(e, f, &s, err) < 0)
		return -1;
	if (kernel_package_check(e->kernels, s.name, NULL) < 0 &&
	    ((ubuntu && select_extra(e, f, &s, err) < 0) || bring(e, f, &s, err) < 0))
		return -1;
	return point(e->kernels, e->link, s.name, err);
}

static bool is_fresh(int kernels, const char *link)
{
	struct stat st;

	return fstatat(kernels, link, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtime < FRESH_SECONDS;
}

/* Returns whether the kernel in the cache is intact; sets FRESH if it is also recent enough to skip
 * the mirror. */
static bool kernel_package_look(int kernels, const char *link, struct progress *progress,
				bool *fresh)
{
	_cleanup_error_ struct error *why = NULL;
	bool whole = kernel_package_check(kernels, link, &why) == 0;

	*fresh = whole && is_fresh(kernels, link);
	if (why && why->code == ERR_TRUST)
		progress_note(progress,
			      "the kernel in the cache is damaged, downloading it again: %s",
			      why->message);
	return whole;
}

int kernel_distribution(const struct manifest *manifest, const char *keyring, struct helper *helper,
			struct progress *progress, struct kernel **out, struct error **err)
{
	_cleanup_free_ char *parent = cache_path("kernels", err);
	_cleanup_free_ char *link = NULL;
	_cleanup_free_ char *dir = NULL;
	_cleanup_free_ char *image = NULL;
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int kernels = -1;
	struct errand errand;
	char keys[KEYS_SIZE];
	bool whole, fresh;

	if (!parent)
		return -1;
	kernels = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (kernels < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", parent);
	if (name_keys(keyring, keys, err) < 0)
		return -1;
	if (asprintf(&link, "%s-%s%s", manifest->suite, manifest->arch, keys) < 0 ||
	    asprintf(&dir, "%s/%s", parent, link) < 0 ||
	    asprintf(&image, "%s/boot/vmlinuz", dir) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot fetch a kernel");
	/* If two runs start at once, the second waits and then finds the first one's kernel. */
	if (flock(kernels, LOCK_EX) < 0)
		return error_errno(err, ERR_INTERRUPTED, "cannot lock %s", parent);
	kernel_package_sweep(kernels);
	whole = kernel_package_look(kernels, link, progress, &fresh);
	if (!fresh) {
		errand = (struct errand){ manifest, keyring,  keys,    link,
					  helper,   progress, kernels, parent };
		if (fetch(&errand, &why) < 0) {
			if (why->code != ERR_NETWORK || !whole) {
				*err = STEAL_PTR(why);
				return -1;
			}
			progress_note(progress, "using the kernel fetched earlier: %s",
				      why->message);
		}
	}
	progress_end(progress);
	cache_touch(dir);
	cache_hold(dir);
	return kernel_open(image, out, err);
}
