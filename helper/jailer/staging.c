#include "helper/jailer/staging.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "helper/jailer/file_ids.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/stage.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"

static void staging_forget(struct server *s)
{
	closep(&s->tree);
	closep(&s->staging);
	closep(&s->parent);
	closep(&s->old);
	s->tree = s->staging = s->parent = s->old = -1;
	s->phase = WHEN_IDLE;
}

void staging_abandon(struct server *s)
{
	_cleanup_error_ struct error *err = NULL;

	if (s->staging < 0)
		return;
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	if (tree_discard(s, s->parent, s->staging_name, s->staging, &err) < 0)
		fprintf(stderr, "%s\n", error_text(err));
	staging_forget(s);
}

static bool staging_is_empty(int dir)
{
	_cleanup_(tree_close_dir) DIR *d = tree_open_dir(dir, ".");
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
	if (fchown(staging, 0, 0) < 0 || file_drop_acls(staging) < 0 || fchmod(staging, 0700) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot set the owner of %s", name);
		unlinkat(parent, name, AT_REMOVEDIR);
		return -1;
	}
	/* Until now, the caller could write to it. */
	if (!staging_is_empty(staging))
		return error_set(err, ERR_REFUSED, "%s was filled in the meantime", name);
	return 0;
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
	*tree = file_make_dir(staging, STAGED_TREE, 0755, false);
	if (*tree < 0) {
		error_errno(err, ERR_SYSTEM, "cannot make the staging tree");
		tree_discard(s, parent, name, staging, NULL);
		return -1;
	}
	return steal_fd(&staging);
}

int staging_close(int staging, int tree, struct error **err)
{
	/* The tool jail can write to the staging directory: what is there already is not ours. */
	_cleanup_close_ int closed = file_make_dir(staging, STAGED_CLOSED, MODE_CLOSED, false);

	if (closed < 0 ||
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

int own_dir_make(int tree)
{
	_cleanup_close_ int etc = file_make_dir(tree, "etc", 0755, false);

	if (etc < 0 && errno == EEXIST)
		etc = tree_open_own(tree, "etc", O_RDONLY | O_DIRECTORY);
	return etc < 0 ? -1 : file_make_dir(etc, "rootlet", 0755, true);
}

int manifest_place(int tree, int from, struct error **err)
{
	_cleanup_close_ int dir = own_dir_make(tree);
	_cleanup_close_ int to = -1;
	off_t size;

	if (dir >= 0)
		to = file_make(dir, "manifest.json", 0644);
	if (to < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the manifest in the tree");
	size = tree_copy_data(from, to, MANIFEST_MAX + 1);
	if (size > MANIFEST_MAX)
		return error_set(err, ERR_INPUT, "the manifest is longer than %d bytes",
				 MANIFEST_MAX);
	return size < 0 ? error_errno(err, ERR_SYSTEM, "cannot copy the manifest") : 0;
}
