#include "helper/jailer/staging.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "helper/jailer/file_ids.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/stage.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/write_all.h"

static void staging_forget(struct server *s)
{
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	closep(&s->tree);
	closep(&s->staging);
	closep(&s->parent);
	s->tree = s->staging = s->parent = -1;
	s->phase = WHEN_IDLE;
}

void staging_abandon(struct server *s)
{
	_cleanup_error_ struct error *err = NULL;

	if (s->staging < 0)
		return;
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	if (tree_remove(s, s->parent, s->staging_name, s->staging, &err) < 0)
		fprintf(stderr, "%s\n", error_text(err));
	staging_forget(s);
}

/* Removes ACLs inherited from the caller's directory: they would let others in regardless of the
 * mode. */
static int drop_acls(int folder)
{
	static const char *const names[] = { "system.posix_acl_default",
					     "system.posix_acl_access" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (fremovexattr(folder, names[i]) < 0 && errno != ENODATA && errno != ENOTSUP)
			return -1;
	return 0;
}

static bool staging_is_empty(int folder)
{
	_cleanup_(tree_close_folder) DIR *d = tree_open_folder(folder, ".");
	const struct dirent *entry;

	while ((errno = 0, entry = d ? readdir(d) : NULL) && tree_is_dots(entry->d_name))
		;
	return d && !entry && errno == 0;
}

/* Takes STAGING from the caller, who may have replaced the directory that was just made. From here
 * on they can neither enter it nor change what is in it. */
static int take_staging(int parent, const char *name, int staging, struct error **err)
{
	struct stat st;

	/* A process that took it for stale may have removed it between the two calls. */
	if (flock(staging, LOCK_EX | LOCK_NB) < 0 || !tree_is(parent, name, staging))
		return error_set(err, ERR_BUSY, "another rootlet is working on %s", name);
	if (fstat(staging, &st) < 0 || st.st_uid != CALLER_ID || !staging_is_empty(staging))
		return error_set(err, ERR_REFUSED, "%s was replaced in the meantime", name);
	if (fchown(staging, 0, 0) < 0 || drop_acls(staging) < 0 || fchmod(staging, 0700) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot set the owner of %s", name);
		unlinkat(parent, name, AT_REMOVEDIR);
		return -1;
	}
	/* Until now, the caller could write to it. */
	if (!staging_is_empty(staging))
		return error_set(err, ERR_REFUSED, "%s was filled in the meantime", name);
	return 0;
}

static int make_tree(int staging, struct error **err)
{
	_cleanup_close_ int tree = -1;
	_for_range_;

	if (mkdirat(staging, STAGED_TREE, 0755) == 0)
		tree = tree_open_own(staging, STAGED_TREE, O_RDONLY | O_DIRECTORY);
	if (tree < 0 || fchown(tree, 0, 0) < 0 || fchmod(tree, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the staging tree");
	return steal_fd(&tree);
}

int staging_open(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err)
{
	_cleanup_close_ int staging = -1;

	if (mkdirat(parent, name, 0700) < 0)
		return error_errno(err, errno == EEXIST ? ERR_BUSY : ERR_SYSTEM, "cannot make %s",
				   name);
	staging = tree_open_own(parent, name, O_RDONLY | O_DIRECTORY);
	if (staging < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", name);
	if (take_staging(parent, name, staging, err) < 0)
		return -1;
	*tree = make_tree(staging, err);
	if (*tree < 0) {
		tree_remove(s, parent, name, staging, NULL);
		return -1;
	}
	return steal_fd(&staging);
}

int staging_close(int staging, int tree, struct error **err)
{
	_cleanup_close_ int closed = -1;
	_for_range_;

	/* The tool jail can write to the staging directory: what is there already is not ours. */
	if (mkdirat(staging, STAGED_CLOSED, 0700) == 0)
		closed = tree_open_own(staging, STAGED_CLOSED, O_RDONLY | O_DIRECTORY);
	if (closed < 0 || fchown(closed, 0, 0) < 0 || drop_acls(closed) < 0 ||
	    fchmod(closed, MODE_CLOSED) < 0 ||
	    renameat2(staging, STAGED_TREE, closed, CLOSED_TREE, RENAME_NOREPLACE) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot close the tree");
	if (!tree_is(closed, CLOSED_TREE, tree))
		return error_set(err, ERR_TRUST, "the staging tree was replaced");
	return 0;
}

int staging_make(struct server *s, int parent, const char *name, struct error **err)
{
	s->parent = fcntl(parent, F_DUPFD_CLOEXEC, 0);
	if (s->parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot keep the directory open");
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->staging_name, sizeof(s->staging_name), "%s%s", STAGING_PREFIX, s->name);
	if (remove_stale(s, s->parent, STAGING_PREFIX, s->name, err) == 0)
		s->staging = staging_open(s, s->parent, s->staging_name, &s->tree, err);
	if (s->staging >= 0)
		return 0;
	staging_forget(s);
	return -1;
}

static int copy_manifest(int from, int to, struct error **err)
{
	char data[8192];
	off_t at = 0;
	ssize_t n;

	while ((n = RETRY_ON_EINTR(pread(from, data, sizeof(data), at))) > 0) {
		at += n;
		if (at > MANIFEST_MAX)
			return error_set(err, ERR_INPUT, "the manifest is longer than %d bytes",
					 MANIFEST_MAX);
		if (write_all(to, data, (size_t)n) < 0)
			return error_errno(err, ERR_SPACE, "cannot write the manifest");
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read the manifest") : 0;
}

/* The tree's scripts have run: a link in place of the directory or the file is refused. */
int manifest_place(int tree, int from, struct error **err)
{
	_cleanup_close_ int etc = tree_open_beneath(tree, "etc", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int folder = -1, to = -1;
	_for_range_;

	/* In a tree that shares files, the directory exists already. */
	if (etc >= 0 && (mkdirat(etc, "rootlet", 0755) == 0 || errno == EEXIST))
		folder = tree_open_beneath(etc, "rootlet", O_RDONLY | O_DIRECTORY, 0);
	if (folder >= 0)
		to = tree_open_beneath(folder, "manifest.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (to < 0 || fchmod(folder, 0755) < 0 || fchown(folder, 0, 0) < 0 ||
	    fchmod(to, 0644) < 0 || fchown(to, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the manifest in the tree");
	return copy_manifest(from, to, err);
}
