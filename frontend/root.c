#include "frontend/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cache.h"
#include "frontend/client.h"
#include "frontend/tree.h"

#define PLACE_DIGITS 16
#define STATE_DIGITS 32
#define IMAGE_KEPT_SECONDS (30 * 24 * 60 * 60)

bool root_transport_parse(const char *text, enum root_transport *transport)
{
	static const char *const names[] = { "auto", "image", "dir" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*transport = (enum root_transport)i;
		return true;
	}
	return false;
}

void root_free(struct root *root)
{
	free(root->path);
	closep(&root->userns);
	*root = ROOT_NONE;
}

static bool is_program(const char *name)
{
	static const char *const folders[] = { "/usr/bin", "/usr/sbin", "/bin", "/sbin" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* An image's format, in order of preference: erofs is built faster and never written to. */
static const struct format {
	const char *name, *option, *module, *program;
} formats[] = {
	{ "erofs", "EROFS_FS", "erofs", "mkfs.erofs" },
	{ "ext4", "EXT4_FS", "ext4", "mke2fs" },
};

static bool is_of(const char *fstype, const char *format)
{
	if (!fstype)
		return false;
	/* One driver serves all three. */
	return strcmp(fstype, format) == 0 ||
	       (strcmp(format, "ext4") == 0 && strncmp(fstype, "ext", 3) == 0);
}

/* SURE: only what the kernel certainly has; else what it is not known to lack. */
static const struct format *choose_format(const struct root_wish *w, bool sure)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		enum kernel_feature has =
			kernel_feature(w->features, formats[i].option, formats[i].module);

		if (!is_of(w->fstype, formats[i].name) && is_program(formats[i].program) &&
		    has != FEATURE_ABSENT && (has != FEATURE_UNKNOWN || !sure))
			return &formats[i];
	}
	return NULL;
}

/* What an image root needs besides its own filesystem; NULL where all of it is there. */
static const char *find_lacking(const struct root_wish *w, bool sure)
{
	static const char *const needed[][2] = { { "VIRTIO_BLK", "virtio_blk" },
						 { "OVERLAY_FS", "overlay" },
						 { "NET_9P_VIRTIO", "9pnet_virtio" } };

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		enum kernel_feature has = kernel_feature(w->features, needed[i][0], needed[i][1]);

		if (has == FEATURE_ABSENT || (has == FEATURE_UNKNOWN && sure))
			return needed[i][0];
	}
	return NULL;
}

/* NULL for a tree. With --root-transport auto an image is used only where it is sure to work. */
static int choose(const struct root_wish *w, const struct format **format, struct error **err)
{
	bool sure = w->transport == ROOT_AUTO;
	const char *lacking = find_lacking(w, sure);

	*format = NULL;
	if (w->transport == ROOT_DIR)
		return 0;
	*format = lacking ? NULL : choose_format(w, sure);
	if (*format)
		return 0;
	if (w->transport == ROOT_IMAGE && lacking)
		return error_set(err, ERR_INPUT,
				 "cannot boot from an image: the kernel has no CONFIG_%s; "
				 "build it with that, or use --root-transport dir",
				 lacking);
	if (w->transport == ROOT_IMAGE)
		return error_set(err, ERR_HOST,
				 "cannot boot from an image: neither erofs (CONFIG_EROFS_FS and "
				 "mkfs.erofs) nor ext4 (CONFIG_EXT4_FS and mke2fs) can be used%s; "
				 "run: apt install erofs-utils, or use --root-transport dir",
				 w->fstype ? " beside the filesystem under test" : "");
	progress_note(w->progress,
		      "the root is the tree itself, which is slow: %s%s; see --root-transport",
		      lacking ? "the kernel has, or tells, no CONFIG_"
			      : "no filesystem for an image is common to the kernel and this host",
		      lacking ? lacking : "");
	return 0;
}

/* The rootfs's files belong to the ids that it was made with; under others, its setuid programs
 * would be somebody's whom the guest does not know, and its init would fail. */
static int check_ids(const struct root_wish *w, const struct host_ids *ids, struct error **err)
{
	if (ids->first_uid == w->manifest->first_uid && ids->first_gid == w->manifest->first_gid)
		return 0;
	return error_set(err, ERR_HOST,
			 "cannot run %s: it was made with host ids from %u, and the range is now "
			 "from %u; give the old range back in /etc/subuid and /etc/subgid, or make "
			 "it again: rootlet create --force",
			 w->path, w->manifest->first_uid, ids->first_uid);
}

static void digest_free(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

/* PLACE-STATE.FORMAT: the rootfs's path, and its manifest and all files' times of change. */
static int name_image(const struct root_wish *w, uint64_t fingerprint, const char *format,
		      char **name, struct error **err)
{
	_cleanup_(digest_free) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	_cleanup_free_ char *manifest = NULL;
	uint8_t place[SHA256_LEN], state[SHA256_LEN];
	char place_hex[2 * SHA256_LEN + 1], state_hex[2 * SHA256_LEN + 1];
	size_t size;

	manifest = tree_read(w->tree, MANIFEST_PATH, MANIFEST_MAX, &size, err);
	if (!manifest)
		return -1;
	if (!digest || !EVP_Digest(w->path, strlen(w->path), place, NULL, EVP_sha256(), NULL) ||
	    !EVP_DigestInit_ex(digest, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(digest, manifest, size) ||
	    !EVP_DigestUpdate(digest, &fingerprint, sizeof(fingerprint)) ||
	    !EVP_DigestFinal_ex(digest, state, NULL))
		return error_set(err, ERR_SYSTEM, "cannot hash the manifest");
	sha256_to_hex(place, place_hex);
	sha256_to_hex(state, state_hex);
	if (asprintf(name, "%.*s-%.*s.%s", PLACE_DIGITS, place_hex, STATE_DIGITS, state_hex,
		     format) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot name the root image");
	return 0;
}

static int fingerprint(struct helper *helper, int tree, uint64_t *value, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Inspect message = ROOTLET__INSPECT__INIT;
	struct answer answer = { 0 };

	request.kind_case = ROOTLET__REQUEST__KIND_INSPECT;
	request.inspect = &message;
	if (helper_call(helper, &request, &tree, 1, &answer, err) < 0)
		return -1;
	*value = answer.fingerprint;
	return 0;
}

/* Images of what this rootfs was before. A run that has one open keeps it. */
static void remove_former(int folder, const char *name)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!directory)
		closep(&fd);
	while (directory && (entry = readdir(directory)))
		if (strncmp(entry->d_name, name, PLACE_DIGITS + 1) == 0 &&
		    strcmp(strrchr(entry->d_name, '.') ? strrchr(entry->d_name, '.') : "",
			   strrchr(name, '.')) == 0)
			unlinkat(folder, entry->d_name, 0);
	if (directory)
		closedir(directory);
}

/* Written to by nobody the host knows, it can be reached by nobody either while it has no name. */
static int build(const struct root_wish *w, struct helper *helper, const char *format, int folder,
		 const char *name, struct error **err)
{
	_cleanup_close_ int fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__BuildImage message = ROOTLET__BUILD_IMAGE__INIT;
	int fds[2] = { w->tree, fd };
	char self[32];

	if (fd < 0 || fchmod(fd, 0666) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a root image in the cache");
	progress_stage(w->progress, "Building the root image");
	message.format = (char *)(uintptr_t)format;
	request.kind_case = ROOTLET__REQUEST__KIND_BUILD_IMAGE;
	request.build_image = &message;
	if (helper_call(helper, &request, fds, 2, NULL, err) < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchmod(fd, 0600) < 0 ||
	    (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST))
		return error_errno(err, ERR_SYSTEM, "cannot keep the root image in the cache");
	return 0;
}

/* Two runs at once build it once. */
static int find_or_build(const struct root_wish *w, struct helper *helper, const char *format,
			 struct root *root, struct error **err)
{
	_cleanup_free_ char *parent = cache_path("images", err);
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int folder = -1;
	uint64_t value;

	if (!parent || fingerprint(helper, w->tree, &value, err) < 0 ||
	    name_image(w, value, format, &name, err) < 0)
		return -1;
	folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || asprintf(&root->path, "%s/%s", parent, name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", parent);
	if (RETRY_ON_EINTR(flock(folder, LOCK_EX)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot lock %s", parent);
	if (faccessat(folder, name, R_OK, 0) == 0) {
		/* Its age is the time since it was last used. */
		utimensat(folder, name, NULL, 0);
		return 0;
	}
	cache_prune(parent, IMAGE_KEPT_SECONDS);
	remove_former(folder, name);
	return build(w, helper, format, folder, name, err);
}

static int prepare(const struct root_wish *w, const struct format *format, struct helper *helper,
		   struct root *root, struct error **err)
{
	if (check_ids(w, helper_ids(helper), err) < 0)
		return -1;
	if (format) {
		root->vm = (struct vm_root){ .kind = VM_ROOT_IMAGE, .fstype = format->name };
		return find_or_build(w, helper, format->name, root, err);
	}
	root->path = strdup(w->path);
	if (!root->path)
		return error_set(err, ERR_SPACE, "out of memory");
	root->vm = (struct vm_root){ .kind = VM_ROOT_TREE, .virtiofs = !w->no_virtiofs };
	return helper_open_namespace(helper, &root->userns, err);
}

int root_prepare(const struct root_wish *wish, struct root *root, struct error **err)
{
	const struct format *format;
	struct helper *helper = NULL;
	int result;

	*root = ROOT_NONE;
	if (choose(wish, &format, err) < 0)
		return -1;
	if (helper_start("run", wish->progress, &helper, err) < 0)
		return -1;
	result = prepare(wish, format, helper, root, err);
	helper_stop(&helper);
	root->vm.path = root->path;
	root->vm.userns = root->userns;
	if (result < 0)
		root_free(root);
	return result;
}
