/* Bases: finished trees in the cache, to be cloned. One is a rootfs as any other, named by the hash
 * of all that made it, with its digest in /etc/rootlet/digest. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "helper/clone.h"
#include "helper/serve.h"
#include "helper/tree.h"

#define DIGEST OWN_FOLDER "/digest"
#define DIGEST_TEXT_MAX 128

static void print_digest(const struct tree_digest *digest, char text[static DIGEST_TEXT_MAX])
{
	char hex[2 * SHA256_LEN + 1];

	sha256_to_hex(digest->sum, hex);
	snprintf(text, DIGEST_TEXT_MAX, "%s %" PRIu64 "\n", hex, digest->count);
}

static int write_digest(int tree, const struct tree_digest *digest, struct error **err)
{
	_cleanup_close_ int fd = tree_open_beneath(tree, DIGEST, O_WRONLY | O_CREAT | O_EXCL, 0644);
	char text[DIGEST_TEXT_MAX];
	size_t length;

	print_digest(digest, text);
	length = strlen(text);
	if (fd < 0 || fchown(fd, 0, 0) < 0 || write(fd, text, length) != (ssize_t)length)
		return error_errno(err, ERR_SYSTEM, "cannot write the base's digest");
	return 0;
}

static int check_digest(int base, const struct tree_digest *digest, struct error **err)
{
	char text[DIGEST_TEXT_MAX];
	size_t size;
	_cleanup_free_ char *known = tree_read_file(base, DIGEST, DIGEST_TEXT_MAX, &size);

	print_digest(digest, text);
	if (!known || strcmp(known, text) != 0)
		return error_set(err, ERR_TRUST, "the base is damaged: its digest differs");
	return 0;
}

/* A base that another rootlet makes or removes at this moment is none. */
static int open_base(int folder, const char *name, struct error **err)
{
	_cleanup_close_ int base =
		openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (base < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_REFUSED,
				   "cannot open base %s", name);
	if (!is_rootfs(base))
		return error_set(err, ERR_REFUSED, "%s is no base of rootlet", name);
	if (flock(base, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "base %s is in use", name);
	return steal_fd(&base);
}

int handle_clone(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	_cleanup_close_ int base = open_base(fds[1], t->clone.base, err);
	struct tree_digest digest;
	enum clone_way way;

	if (base < 0)
		return -1;
	if (staging_make(s, fds[0], t->clone.name, err) < 0 ||
	    clone_tree(base, s->tree, &way, &digest, err) < 0 ||
	    check_digest(base, &digest, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->phase = PHASE_BUILT;
	out->status = (int)way;
	return 0;
}

/* Fills the base under its staging name and gives it its own. */
static int keep(struct server *s, int folder, const char *staging, const char *name, int manifest,
		struct error **err)
{
	_cleanup_close_ int base = -1;
	struct tree_digest digest;
	enum clone_way way;

	if (mkdirat(folder, staging, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", staging);
	base = openat(folder, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (base < 0 || flock(base, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, ERR_BUSY, "cannot lock %s", staging);
	if (clone_tree(s->tree, base, &way, &digest, err) == 0 &&
	    manifest_place(base, manifest, err) == 0 && write_digest(base, &digest, err) == 0) {
		if (fchown(base, 0, 0) == 0 && syncfs(base) == 0 &&
		    renameat2(folder, staging, folder, name, RENAME_NOREPLACE) == 0)
			return 0;
		error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM,
			    "cannot give the base its name");
	}
	tree_remove(folder, staging, base, NULL);
	return -1;
}

int handle_keep(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		struct error **err)
{
	char staging[ROOTFS_NAME_MAX + 32];

	(void)out;
	if (remove_stale(fds[0], STAGING_PREFIX, t->keep.name, err) < 0)
		return -1;
	snprintf(staging, sizeof(staging), "%s%s", STAGING_PREFIX, t->keep.name);
	return keep(s, fds[0], staging, t->keep.name, fds[1], err);
}

int handle_verify(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		  struct error **err)
{
	struct tree_digest digest;

	(void)s;
	(void)t;
	(void)out;
	if (clone_digest(fds[0], &digest, err) < 0)
		return -1;
	return check_digest(fds[0], &digest, err);
}
