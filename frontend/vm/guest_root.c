#include "frontend/vm/guest_root.h"

#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "frontend/cli/interrupt.h"
#include "frontend/client/client.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/image_cache.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/kernel_package.h"
#include "frontend/vm/vng.h"
#include "proto/validate.h"

#define WAIT_MS 200

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
	for (size_t i = 0; i < root->overlay_count; i++)
		overlay_clear(&root->overlays[i]);
	free(root->path);
	closep(&root->userns);
	*root = ROOT_NONE;
}

/* Image formats, in order of preference. erofs is faster to build and is never written to. squashfs
 * is the only one in a kernel configured by `vng --kconfig`, which leaves out its extended
 * attributes. */
static const struct root_format {
	const char *name, *option, *module;
	bool last_resort;
} formats[] = {
	{ "erofs", "EROFS_FS", "erofs", false },
	{ "ext4", "EXT4_FS", "ext4", false },
	{ "squashfs", "SQUASHFS", "squashfs", true },
};

static bool is_among(const char *fstypes, const char *format)
{
	size_t length;

	for (const char *word = fstypes; word && *word; word += length + (word[length] == ' ')) {
		length = strcspn(word, " ");
		if (length == strlen(format) && strncmp(word, format, length) == 0)
			return true;
		/* One driver handles ext2, ext3 and ext4. */
		if (strcmp(format, "ext4") == 0 && strncmp(word, "ext", 3) == 0)
			return true;
	}
	return false;
}

static bool can_use(const struct root_format *format, const struct kernel_features *features,
		    bool sure)
{
	enum kernel_feature has = kernel_feature(features, format->option, format->module);

	return image_can_make(format->name) && has != FEATURE_ABSENT &&
	       (has != FEATURE_UNKNOWN || !sure);
}

/* With SURE, picks only a format that the kernel certainly has; otherwise any that it is not known
 * to lack. Prefers a format that is not under test, and uses the last resort only if nothing else
 * works. */
static const struct root_format *choose_format(const struct root_wish *w,
					       const struct kernel_features *features, bool sure)
{
	const size_t count = sizeof(formats) / sizeof(*formats);

	for (size_t i = 0; i < count; i++)
		if (!formats[i].last_resort && !is_among(w->fstypes, formats[i].name) &&
		    can_use(&formats[i], features, sure))
			return &formats[i];
	for (size_t i = 0; i < count; i++)
		if (can_use(&formats[i], features, sure))
			return &formats[i];
	return NULL;
}

/* Returns an option that an image root needs besides its filesystem and that is missing, or NULL.
 */
static const char *find_lacking(const struct kernel_features *features, bool sure)
{
	static const char *const needed[][2] = { { "VIRTIO_BLK", "virtio_blk" },
						 { "OVERLAY_FS", "overlay" },
						 { "NET_9P_VIRTIO", "9pnet_virtio" },
						 { "9P_FS", "9p" } };

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		enum kernel_feature has = kernel_feature(features, needed[i][0], needed[i][1]);

		if (has == FEATURE_ABSENT || (has == FEATURE_UNKNOWN && sure))
			return needed[i][0];
	}
	return NULL;
}

/* Sets FORMAT to NULL for a tree. With --root-transport auto, chooses an image only if it is sure
 * to work. An installed helper always gets an image: a tree needs the helper's user namespace,
 * which an installed helper gives to no one. */
static int guest_root_choose(const struct root_wish *w, const struct kernel_features *features,
			     const struct root_format **format, struct error **err)
{
	bool installed = strcmp(helper_ids(w->rootfs->helper)->mode, "installed") == 0;
	bool overlays = w->overlays && *w->overlays;
	bool sure = w->transport == ROOT_AUTO && !installed && !overlays;
	bool image = w->transport == ROOT_IMAGE || installed || overlays;
	const char *lacking = find_lacking(features, sure);
	const char *else_dir = installed || overlays ? "" : ", or use --root-transport dir";

	*format = NULL;
	if (w->transport == ROOT_DIR && installed)
		return error_set(err, ERR_REFUSED,
				 "cannot boot from the tree itself: this needs rootlet-helper's "
				 "user namespace, which an installed helper does not share; use "
				 "--root-transport image");
	if (w->transport == ROOT_DIR && overlays)
		return error_set(
			err, ERR_INPUT,
			"--overlay lies on an image: it does not go with --root-transport dir");
	if (w->transport == ROOT_DIR)
		return 0;
	*format = lacking ? NULL : choose_format(w, features, sure);
	if (*format && is_among(w->fstypes, (*format)->name))
		progress_note(w->progress,
			      "the root is an %s image, read-only under overlayfs, although %s is "
			      "under test: the kernel and this host support no other image format",
			      (*format)->name, (*format)->name);
	if (*format)
		return 0;
	if (image && lacking)
		return error_set(
			err, ERR_INPUT,
			"cannot boot from an image: the kernel has no CONFIG_%s; enable it%s",
			lacking, else_dir);
	if (image)
		return error_set(
			err, ERR_HOST,
			"cannot boot from an image: neither erofs (CONFIG_EROFS_FS and mkfs.erofs) "
			"nor ext4 (CONFIG_EXT4_FS and mke2fs) nor squashfs (CONFIG_SQUASHFS and "
			"mksquashfs) is available; run: apt install erofs-utils squashfs-tools%s",
			else_dir);
	progress_note(w->progress,
		      "using the tree itself as root, which is slow: %s%s; see --root-transport",
		      lacking ? "the kernel lacks, or may lack, CONFIG_"
			      : "the kernel and this host have no image filesystem in common",
		      lacking ? lacking : "");
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

struct building {
	const struct root_wish *wish;
	const char *format;
};

static int build(int fd, void *context, struct error **err)
{
	const struct building *b = context;
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__BuildImage message = ROOTLET__BUILD_IMAGE__INIT;
	const struct manifest *manifest = b->wish->rootfs->manifest;
	int fds[2] = { b->wish->rootfs->tree, fd };

	progress_stage(b->wish->progress, "Building the root image");
	message.format = (char *)(uintptr_t)b->format;
	/* A rootfs made from a lock has no range in its manifest, but an epoch. */
	message.epoch = manifest->count ? 0 : (uint32_t)manifest->created;
	request.kind_case = ROOTLET__REQUEST__KIND_BUILD_IMAGE;
	request.build_image = &message;
	return helper_call(b->wish->rootfs->helper, &request, fds, 2, NULL, err);
}

/* The state of a rootfs is its manifest plus the change times of all its files. */
static int guest_root_find_or_build(const struct root_wish *w, const char *format,
				    struct root *root, struct error **err)
{
	struct building building = { w, format };
	_cleanup_free_ char *manifest = NULL;
	_cleanup_free_ char *state = NULL;
	uint64_t value;
	size_t size;

	if (fingerprint(w->rootfs->helper, w->rootfs->tree, &value, err) < 0)
		return -1;
	manifest = view_read(w->rootfs->helper, w->rootfs->tree, "manifest", &size, err);
	if (!manifest)
		return -1;
	state = malloc(size + sizeof(value));
	if (!state)
		return error_no_memory(err);
	memcpy(state, &value, sizeof(value));
	memcpy(state + sizeof(value), manifest, size);
	return image_cached(w->rootfs->path, state, size + sizeof(value), format, build, &building,
			    &root->path, err);
}

void rootfs_close(struct rootfs *r)
{
	helper_stop(&r->helper);
	kernel_free(&r->kernel);
	manifest_free(&r->manifest);
	free(r->path);
	closep(&r->directory);
	closep(&r->tree);
	*r = ROOTFS_NONE;
}

static int guest_root_lock(const struct rootfs_choice *c, const struct rootfs *r,
			   struct error **err)
{
	struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
	bool told = false;

	while (flock(r->tree, LOCK_SH | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || !c->wait)
			return error_set(err, ERR_BUSY,
					 "the rootfs at %s is being replaced or removed", r->path);
		if (!told)
			progress_note(c->progress, "the rootfs is being changed: waiting");
		told = true;
		poll(&interrupt, 1, WAIT_MS);
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
	}
	return 0;
}

/* Whether the locked rootfs still has its path: an upgrade may have exchanged it before. */
static bool is_in_place(const struct rootfs *r)
{
	struct stat opened, named;

	return fstat(r->directory, &opened) == 0 && lstat(r->path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static int guest_root_open_tree(const struct rootfs_choice *c, struct rootfs *r, struct error **err)
{
	do {
		closep(&r->directory);
		closep(&r->tree);
		r->directory = r->tree = -1;
		free(r->path);
		r->path = NULL;
		if (store_find(c->name, c->path, &r->directory, &r->path, err) < 0)
			return -1;
		/* With ids other than those it was made with, setuid programs in the rootfs would
		 * belong to a user that the guest does not know, and its init would fail. */
		if ((!r->helper && helper_start("run", c->progress, &r->helper, err) < 0) ||
		    store_open(r->helper, r->directory, r->path, &r->tree, &r->closed, err) < 0 ||
		    guest_root_lock(c, r, err) < 0)
			return -1;
	} while (!is_in_place(r));
	return 0;
}

static int guest_root_open_all(const struct rootfs_choice *c, struct rootfs *r, struct error **err)
{
	bool distribution = strcmp(c->kernel, "distro") == 0;

	if (!distribution && kernel_open(c->kernel, &r->kernel, err) < 0)
		return -1;
	if (guest_root_open_tree(c, r, err) < 0 ||
	    manifest_read(r->helper, r->tree, &r->manifest, err) < 0)
		return -1;
	if (!distribution)
		return 0;
	return kernel_distribution(r->manifest, c->keyring, r->helper, c->progress, &r->kernel,
				   err);
}

int rootfs_open(const struct rootfs_choice *choice, struct rootfs *rootfs, struct error **err)
{
	*rootfs = ROOTFS_NONE;
	if (guest_root_open_all(choice, rootfs, err) == 0)
		return 0;
	rootfs_close(rootfs);
	return -1;
}

static int guest_root_prepare(const struct root_wish *w, const struct root_format *format,
			      struct root *root, struct error **err)
{
	if (format) {
		root->vm = (struct vm_root){ .kind = VM_ROOT_IMAGE, .fstype = format->name };
		if (guest_root_find_or_build(w, format->name, root, err) < 0)
			return -1;
		/* If AppArmor restricts user namespaces, the helper may create one, but we may not.
		 */
		return helper_is_installed()
			       ? 0
			       : helper_open_namespace(w->rootfs->helper, &root->userns, err);
	}
	if (asprintf(&root->path, "%s%s", w->rootfs->path,
		     w->rootfs->closed ? "/" VIEW_CLOSED_TREE : "") < 0)
		root->path = NULL;
	if (!root->path)
		return error_no_memory(err);
	root->vm = (struct vm_root){ .kind = VM_ROOT_TREE,
				     .virtiofs = !w->no_virtiofs && vng_has_virtiofsd() };
	return helper_open_namespace(w->rootfs->helper, &root->userns, err);
}

static int add_overlays(const struct root_wish *w, const char *format, struct root *root,
			struct error **err)
{
	if (w->overlays && *w->overlays)
		progress_stage(w->progress, "Building the overlay image");
	for (const char *const *given = w->overlays; given && *given; given++) {
		struct overlay *o = &root->overlays[root->overlay_count++];

		if (overlay_open(*given, o, err) < 0 || overlay_build(o, format, err) < 0)
			return -1;
		root->images[root->overlay_count - 1] = o->image;
	}
	root->vm.overlays = root->images;
	root->vm.overlay_count = root->overlay_count;
	return 0;
}

int root_prepare(const struct root_wish *wish, struct root *root, struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(wish->rootfs->kernel);
	const struct root_format *format;
	int result;

	*root = ROOT_NONE;
	if (guest_root_choose(wish, features, &format, err) < 0)
		return -1;
	result = guest_root_prepare(wish, format, root, err);
	if (result == 0 && format)
		result = add_overlays(wish, format->name, root, err);
	root->vm.path = root->path;
	root->vm.userns = root->userns;
	if (result < 0)
		root_free(root);
	return result;
}
