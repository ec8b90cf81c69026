#include "frontend/fstests/run_identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/cli/tree.h"
#include "lib/hash.h"

#define TEST_MOST (1u << 20)

/* With its length, so that "ab" "c" and "a" "bc" differ. */
static void identity_add(struct sha256_ctx *hash, const char *text)
{
	uint64_t size = text ? strlen(text) : UINT64_MAX;

	sha256_update(hash, sizeof(size), (const uint8_t *)&size);
	if (text)
		sha256_update(hash, strlen(text), (const uint8_t *)text);
}

static json_t *identity_end(struct sha256_ctx *hash)
{
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	hash_end(hash, sum);
	sha256_to_hex(sum, hex);
	return json_string(hex);
}

json_t *identity_of_file(const char *path, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	if (fd < 0) {
		error_errno(err, ERR_SYSTEM, "cannot open %s", path);
		return NULL;
	}
	if (file_sha256(fd, sum, err) < 0)
		return NULL;
	sha256_to_hex(sum, hex);
	return json_string(hex);
}

static int compare_packages(const void *a, const void *b)
{
	return strcmp((*(const struct manifest_package *const *)a)->name,
		      (*(const struct manifest_package *const *)b)->name);
}

static json_t *identity_of_rootfs(const struct manifest *m)
{
	_cleanup_free_ const struct manifest_package **sorted =
		calloc(m->package_count + 1, sizeof(struct manifest_package *));
	struct sha256_ctx hash;

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < m->package_count; i++)
		sorted[i] = &m->packages[i];
	if (m->package_count)
		qsort(sorted, m->package_count, sizeof(struct manifest_package *),
		      compare_packages);
	sha256_init(&hash);
	identity_add(&hash, m->suite);
	identity_add(&hash, m->arch);
	identity_add(&hash, m->profile_sha256);
	for (size_t i = 0; i < m->package_count; i++) {
		identity_add(&hash, sorted[i]->name);
		identity_add(&hash, sorted[i]->version);
	}
	return identity_end(&hash);
}

/* --- fstests -------------------------------------------------------------------------------- */

/* What cannot be read is added by its name alone. */
static void identity_add_file(struct sha256_ctx *hash, int tree, const char *path)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *text = tree_read_start(tree, path, TEST_MOST, &ignored);

	identity_add(hash, path);
	identity_add(hash, text);
}

static int identity_is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Adds a file, or a directory with what is in it, DEPTH directories deep. */
static int identity_add_directory(struct sha256_ctx *hash, int tree, const char *path, int depth)
{
	_cleanup_close_ int fd = tree_open(tree, path, O_RDONLY | O_DIRECTORY);
	struct dirent **list;
	int count, result = 0;

	if (fd < 0) {
		identity_add_file(hash, tree, path);
		return 0;
	}
	count = depth ? scandirat(fd, ".", &list, identity_is_visible, alphasort) : 0;
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *inside = NULL;

		if (result == 0 && asprintf(&inside, "%s/%s", path, list[i]->d_name) >= 0)
			result = identity_add_directory(hash, tree, inside, depth - 1);
		else
			result = -1;
		free(list[i]);
	}
	if (count > 0)
		free(list);
	return count < 0 ? -1 : result;
}

/* The programs that its build makes are not part of it: two builds of one source differ. */
static json_t *identity_of_fstests(const char *path, struct error **err)
{
	static const struct {
		const char *path;
		int depth;
	} parts[] = { { "check", 0 }, { "common", 1 }, { "tests", 2 } };
	_cleanup_close_ int tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sha256_ctx hash;

	sha256_init(&hash);
	for (size_t i = 0; tree >= 0 && i < sizeof(parts) / sizeof(*parts); i++)
		if (identity_add_directory(&hash, tree, parts[i].path, parts[i].depth) < 0) {
			error_errno(err, ERR_SYSTEM, "cannot read %s/%s", path, parts[i].path);
			return NULL;
		}
	if (tree >= 0)
		return identity_end(&hash);
	error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	return NULL;
}

/* --- the configuration ---------------------------------------------------------------------- */

/* Processors and memory are not part of it: nodes may differ. */
static json_t *identity_of_configuration(const struct fstests_run *run, const char *types)
{
	const struct fstests_options *o = run->options;
	struct sha256_ctx hash;
	char devices[64];

	snprintf(devices, sizeof(devices), "%u %llu", o->device_count,
		 (unsigned long long)o->device_size);
	sha256_init(&hash);
	identity_add(&hash, types);
	identity_add(&hash, o->mkfs);
	identity_add(&hash, o->mkfs_options);
	identity_add(&hash, o->mount_options);
	identity_add(&hash, o->io_scheduler);
	identity_add(&hash, o->append);
	identity_add(&hash, devices);
	identity_add(&hash, run->config);
	/* Options of check, without values: files may be elsewhere, and the plan has the tests. */
	for (size_t i = 0; i < o->test_count; i++)
		if (o->tests[i][0] == '-')
			identity_add(&hash, o->tests[i]);
	return identity_end(&hash);
}

/* Of one overlay, its own sum; else of all their sums, from the lowest on. */
static json_t *identity_of_overlays(const struct root *root)
{
	struct sha256_ctx hash;

	if (root->overlay_count == 1)
		return json_string(root->overlays[0].sha256);
	sha256_init(&hash);
	for (size_t i = 0; i < root->overlay_count; i++)
		identity_add(&hash, root->overlays[i].sha256);
	return identity_end(&hash);
}

json_t *run_identity(const struct fstests_run *run, const struct manifest *manifest,
		     const struct root *root, const char *types, struct error **err)
{
	json_t *kernel = identity_of_file(run->vm.kernel->image, err);
	json_t *fstests = kernel ? identity_of_fstests(run->tree, err) : NULL;
	json_t *configuration = fstests ? identity_of_configuration(run, types) : NULL;
	json_t *object;

	if (!configuration) {
		json_decref(kernel);
		json_decref(fstests);
		error_no_memory(err);
		return NULL;
	}
	object = json_pack("{s:o, s:o, s:o}", "kernel", kernel, "fstests", fstests, "configuration",
			   configuration);
	if (manifest)
		json_object_set_new(object, "rootfs", identity_of_rootfs(manifest));
	if (root->overlay_count)
		json_object_set_new(object, "overlays", identity_of_overlays(root));
	return object;
}
