/* kernel_distribution() of kernel.h. In the cache, kernels/VERSION_REVISION/ holds boot/vmlinuz,
 * boot/config and lib/modules/VERSION, and what they must be (sums.h); kernels/SUITE-ARCH is a link
 * to the newest of a release. Where signatures were checked against a keyring of the user's own
 * both names end with its hash.
 */
#include "frontend/kernel.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "frontend/cache.h"
#include "frontend/deb_files.h"
#include "frontend/folder.h"
#include "frontend/packages.h"
#include "frontend/sums.h"

#define FRESH_SECONDS (24 * 60 * 60)
#define KEYS_SIZE (2 * SHA256_LEN + 2)

extern char **environ;

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The version in the name of an image or modules package, "linux-image-6.1.0-56-amd64"; NULL for
 * any other, and for the packages that only depend on the newest one. */
static const char *package_version(const char *name)
{
	static const char *const prefixes[] = { "linux-image-unsigned-", "linux-image-",
						"linux-modules-extra-", "linux-modules-" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (has_prefix(name, prefixes[i]) && name[strlen(prefixes[i])] >= '0' &&
		    name[strlen(prefixes[i])] <= '9')
			return name + strlen(prefixes[i]);
	return NULL;
}

static const struct package *find_image(const struct package_set *set)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (has_prefix(set->packages[i].name, "linux-image-") &&
		    package_version(set->packages[i].name))
			return &set->packages[i];
	return NULL;
}

/* Where a file of a kernel package goes; the rest of it (headers' links, System.map) stays out. */
static char *place(const char *path)
{
	if (has_prefix(path, "boot/vmlinuz-"))
		return strdup("boot/vmlinuz");
	if (has_prefix(path, "boot/config-"))
		return strdup("boot/config");
	if (has_prefix(path, "usr/lib/modules/"))
		path += strlen("usr/");
	if (!has_prefix(path, "lib/modules/"))
		return NULL;
	return strdup(path);
}

/* modules.dep and its kin. depmod of some distributions looks below usr/. */
static int run_depmod(const char *folder, const char *version, struct error **err)
{
	const char *argv[] = { "depmod", "-b", folder, version, NULL };
	static const char *const programs[] = { "/usr/sbin/depmod", "/sbin/depmod",
						"/usr/bin/depmod" };
	_cleanup_free_ char *usr = NULL;
	_cleanup_free_ char *link = NULL;
	int status = -1;
	pid_t child;

	if (asprintf(&usr, "%s/usr", folder) < 0 || asprintf(&link, "%s/usr/lib", folder) < 0 ||
	    mkdir(usr, 0755) < 0 || symlink("../lib", link) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot list the kernel's modules in %s",
				   folder);
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (posix_spawn(&child, programs[i], NULL, NULL, (char *const *)argv, environ) != 0)
			continue;
		if (RETRY_ON_EINTR(waitpid(child, &status, 0)) == child && status == 0)
			return 0;
		return error_set(err, ERR_SYSTEM,
				 "cannot list the kernel's modules in %s: depmod "
				 "failed",
				 folder);
	}
	return error_set(err, ERR_HOST,
			 "cannot list the kernel's modules: depmod is not there; "
			 "run: apt install kmod");
}

/* Unpacks every package of VERSION in SET into the new folder PATH, which FD is open on. */
static int fill(const struct package_set *set, const char *version, int fd, const char *path,
		struct error **err)
{
	for (size_t i = 0; i < set->package_count; i++) {
		const char *has = package_version(set->packages[i].name);

		if (has && strcmp(has, version) == 0 &&
		    deb_files_unpack(set->packages[i].path, fd, place, err) < 0)
			return -1;
	}
	if (faccessat(fd, "boot/vmlinuz", R_OK, 0) < 0)
		return error_set(err, ERR_INPUT, "the packages of Linux %s hold no kernel",
				 version);
	if (run_depmod(path, version, err) < 0)
		return -1;
	return sums_write(fd, NULL, err);
}

/* What killed runs left, and what was replaced while a run had it. Only who has the lock makes any.
 */
static void sweep(int kernels)
{
	int fd = openat(kernels, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

	if (!folder) {
		closep(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(folder));)
		if (has_prefix(entry->d_name, ".new-") || has_prefix(entry->d_name, ".link-"))
			folder_discard(kernels, entry->d_name);
	closedir(folder);
}

/* Makes kernels/NAME whole or not at all, in place of one that is damaged. KERNELS is open on
 * PARENT. */
static int install(const struct package_set *set, const char *version, const char *name,
		   int kernels, const char *parent, struct error **err)
{
	_cleanup_free_ char *staging = NULL;
	_cleanup_close_ int fd = -1;
	const char *base;
	int result;

	if (asprintf(&staging, "%s/.new-XXXXXX", parent) < 0 || !mkdtemp(staging))
		return error_errno(err, ERR_SYSTEM, "cannot make a folder in %s", parent);
	base = strrchr(staging, '/') + 1;
	fd = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", staging)
			: fill(set, version, fd, staging, err);
	if (result == 0 && folder_publish(kernels, base, name) < 0)
		result = error_errno(err, ERR_SYSTEM, "cannot make %s/%s", parent, name);
	folder_discard(kernels, base);
	return result;
}

/* Makes the link kernels/SUITE-ARCH lead to NAME, in one step. */
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

/* Ubuntu keeps a part of the modules (some filesystems among them) in a package that only the
 * variants with all firmware depend on. A release that has no such package is left as it is. */
static void add_extra(const struct source *source, const char *meta, const char *version,
		      struct progress *progress, struct package_set **set)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_error_ struct error *ignored = NULL;
	struct package_set *both = NULL;
	const char *wanted[3] = { meta };
	struct source further = *source;

	further.purpose = "the kernel's further modules";
	if (asprintf(&name, "linux-modules-extra-%s", version) < 0)
		return;
	wanted[1] = name;
	if (packages_fetch(&further, BASE_NONE, wanted, progress, &both, &ignored) < 0)
		return;
	package_set_free(set);
	*set = both;
}

/* What was signed with other keys is not taken for the distribution's: "", or "-" and a hash. */
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

/* "6.1.0-56-amd64_6.1.192-2": a kernel can change without its version doing so. */
static char *folder_name(const struct package *image, const char *keys)
{
	char *name;

	if (asprintf(&name, "%s_%s%s", package_version(image->name), image->version, keys) < 0)
		return NULL;
	for (char *p = name; *p; p++)
		if (*p == ':' || *p == '/')
			*p = '_';
	return name;
}

/* All of kernels/NAME, or what the link NAME leads to, is what it was; what is booted is read, not
 * only looked at. */
static int check(int kernels, const char *name, struct error **err)
{
	_cleanup_close_ int fd = openat(kernels, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, ERR_MISSING, "cannot open the kernel %s", name);
	return sums_check(fd, NULL, err) < 0 ? -1 : sums_verify_file(fd, "boot/vmlinuz", err);
}

static int fetch(const struct manifest *manifest, const char *keyring, const char *keys,
		 struct progress *progress, int kernels, const char *parent, const char *link,
		 struct error **err)
{
	const struct source source = { .suite = manifest->suite,
				       .arch = manifest->arch,
				       .mirror = manifest->mirror,
				       .keyring = keyring,
				       .purpose = "the kernel" };
	bool ubuntu = manifest->distribution && strcmp(manifest->distribution, "Ubuntu") == 0;
	_cleanup_(package_set_free) struct package_set *set = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *meta = NULL;
	_cleanup_free_ char *version = NULL;
	const char *wanted[2] = { NULL };
	const struct package *image;

	if (asprintf(&meta, "linux-image-%s", ubuntu ? "virtual" : manifest->arch) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot fetch a kernel");
	wanted[0] = meta;
	if (packages_fetch(&source, BASE_NONE, wanted, progress, &set, err) < 0)
		return error_wrap(err, "cannot fetch the kernel of %s", manifest->suite);
	image = find_image(set);
	if (!image)
		return error_set(err, ERR_INPUT, "%s of %s brings no kernel", meta,
				 manifest->suite);
	version = strdup(package_version(image->name));
	name = folder_name(image, keys);
	if (!name || !version)
		return error_errno(err, ERR_SYSTEM, "cannot fetch a kernel");
	if (check(kernels, name, NULL) == 0)
		return point(kernels, link, name, err);
	if (ubuntu)
		add_extra(&source, meta, version, progress, &set);
	progress_stage(progress, "Unpacking the kernel");
	if (install(set, version, name, kernels, parent, err) < 0)
		return -1;
	return point(kernels, link, name, err);
}

static bool is_fresh(int kernels, const char *link)
{
	struct stat st;

	return fstatat(kernels, link, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtime < FRESH_SECONDS;
}

/* Whether the kernel in the cache can be used, and (FRESH) without asking the mirror. */
static bool look(int kernels, const char *link, struct progress *progress, bool *fresh)
{
	_cleanup_error_ struct error *why = NULL;
	bool whole = check(kernels, link, &why) == 0;

	*fresh = whole && is_fresh(kernels, link);
	if (why && why->code == ERR_TRUST)
		progress_note(progress, "not using the kernel in the cache, which is damaged: %s",
			      why->message);
	return whole;
}

int kernel_distribution(const struct manifest *manifest, const char *keyring,
			struct progress *progress, struct kernel **out, struct error **err)
{
	_cleanup_free_ char *parent = cache_path("kernels", err);
	_cleanup_free_ char *link = NULL;
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *image = NULL;
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int kernels = -1;
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
	    asprintf(&folder, "%s/%s", parent, link) < 0 ||
	    asprintf(&image, "%s/boot/vmlinuz", folder) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot fetch a kernel");
	/* Two runs at once: the second waits, and finds what the first has made. */
	if (flock(kernels, LOCK_EX) < 0)
		return error_errno(err, ERR_INTERRUPTED, "cannot lock %s", parent);
	sweep(kernels);
	whole = look(kernels, link, progress, &fresh);
	if (!fresh) {
		if (fetch(manifest, keyring, keys, progress, kernels, parent, link, &why) < 0) {
			if (why->code != ERR_NETWORK || !whole) {
				*err = STEAL_PTR(why);
				return -1;
			}
			progress_note(progress, "using the kernel fetched earlier: %s",
				      why->message);
		}
	}
	progress_end(progress);
	cache_touch(folder);
	cache_hold(folder);
	return kernel_open(image, out, err);
}
