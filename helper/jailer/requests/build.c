/* A tree from nothing to its name. It grows in a staging folder beside its destination, which
 * nobody but the range's first id can enter, and gets its name by one rename. */
#include "helper/jailer/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "helper/jailer/bounds.h"
#include "helper/jailer/rollback.h"
#include "helper/jailer/jailer.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/write_all.h"

static void close_build(struct server *s)
{
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	closep(&s->tree);
	closep(&s->staging);
	closep(&s->parent);
	s->tree = s->staging = s->parent = -1;
	s->phase = WHEN_IDLE;
}

void build_abandon(struct server *s)
{
	_cleanup_error_ struct error *err = NULL;

	if (s->staging < 0)
		return;
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	if (tree_remove(s, s->parent, s->staging_name, s->staging, &err) < 0)
		fprintf(stderr, "%s\n", error_text(err));
	close_build(s);
}

/* A link of the chain that does not hold ends the build: nothing of it is kept. */
static int abandon_failed(struct server *s, int r)
{
	if (r < 0)
		build_abandon(s);
	return r;
}

/* What a folder of the caller's has given on: it would let others in whatever the mode says. */
static int drop_acls(int folder)
{
	static const char *const names[] = { "system.posix_acl_default",
					     "system.posix_acl_access" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (fremovexattr(folder, names[i]) < 0 && errno != ENODATA && errno != ENOTSUP)
			return -1;
	return 0;
}

static bool is_empty(int folder)
{
	_cleanup_(tree_close_folder) DIR *d = tree_open_folder(folder, ".");
	const struct dirent *entry;

	while ((errno = 0, entry = d ? readdir(d) : NULL) && tree_is_dots(entry->d_name))
		;
	return d && !entry && errno == 0;
}

/* Takes STAGING from the caller, who may have put something of his in the place of what was made
 * for him: from here on he can neither enter it nor change what is in it. */
static int take_staging(int parent, const char *name, int staging, struct error **err)
{
	struct stat st;

	/* Somebody who took it for stale between the two calls has removed it. */
	if (flock(staging, LOCK_EX | LOCK_NB) < 0 || !tree_is(parent, name, staging))
		return error_set(err, ERR_BUSY, "another rootlet works on %s", name);
	if (fstat(staging, &st) < 0 || st.st_uid != CALLER_ID || !is_empty(staging))
		return error_set(err, ERR_REFUSED, "somebody exchanged %s meanwhile", name);
	if (fchown(staging, 0, 0) < 0 || drop_acls(staging) < 0 || fchmod(staging, 0700) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot give %s its owner", name);
		unlinkat(parent, name, AT_REMOVEDIR);
		return -1;
	}
	/* Until now he could. */
	if (!is_empty(staging))
		return error_set(err, ERR_REFUSED, "somebody put something into %s", name);
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

	/* The tool jail could write beside the tree: what is there already is not ours. */
	if (mkdirat(staging, STAGED_CLOSED, 0700) == 0)
		closed = tree_open_own(staging, STAGED_CLOSED, O_RDONLY | O_DIRECTORY);
	if (closed < 0 || fchown(closed, 0, 0) < 0 || drop_acls(closed) < 0 ||
	    fchmod(closed, MODE_CLOSED) < 0 ||
	    renameat2(staging, STAGED_TREE, closed, CLOSED_TREE, RENAME_NOREPLACE) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot close the tree");
	if (!tree_is(closed, CLOSED_TREE, tree))
		return error_set(err, ERR_TRUST, "the staging tree was exchanged");
	return 0;
}

int stage_ask(const struct server *s, const struct stage *stage, const struct task *task,
	      const int *fds, size_t count, struct note *note, struct error **err)
{
	if (packet_send(stage->socket, task, sizeof(*task), fds, count, err) < 0)
		return -1;
	return stage_wait(s, stage, true, note, NULL, err);
}

static int ask(struct server *s, const struct stage *stage, const struct task *task, const int *fds,
	       size_t count, struct error **err)
{
	struct note note;

	return stage_ask(s, stage, task, fds, count, &note, err);
}

/* A release file that is accepted must be as new as any before. */
static int ask_release(struct server *s, const struct task *t, const int *fds, struct error **err)
{
	const struct release_claim claim = {
		.suite = s->suite,
		.pocket = t->release.pocket,
		.mirror = t->release.mirror,
		.older = t->release.older,
	};
	struct note note;

	if (stage_ask(s, &s->verifier, t, fds, 1, &note, err) < 0)
		return -1;
	return rollback_check(&s->session->rollback, &claim, &note, err) < 0 ? -1 : 0;
}

int staging_make(struct server *s, int parent, const char *name, struct error **err)
{
	s->parent = fcntl(parent, F_DUPFD_CLOEXEC, 0);
	if (s->parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot keep the folder");
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->staging_name, sizeof(s->staging_name), "%s%s", STAGING_PREFIX, s->name);
	if (remove_stale(s, s->parent, STAGING_PREFIX, s->name, err) == 0)
		s->staging = staging_open(s, s->parent, s->staging_name, &s->tree, err);
	if (s->staging >= 0)
		return 0;
	close_build(s);
	return -1;
}

static int begin(struct server *s, const struct task *t, const int *fds, struct error **err)
{
	struct jail_spec verify = { .kind = JAIL_TOOL, .worker = "verify" };
	struct jail_spec unpack = {
		.kind = JAIL_WORK,
		.worker = "unpack",
		.set = PRIVILEGES_UNPACK,
	};

	s->package_count = 0;
	snprintf(s->suite, sizeof(s->suite), "%s", t->begin.suite);
	s->native = strcmp(t->begin.engine, "native") == 0;
	if (staging_make(s, fds[0], t->begin.name, err) < 0)
		return -1;
	verify.root = s->staging;
	unpack.root = s->tree;
	if (stage_start(s, &s->verifier, verify, err) < 0 ||
	    ask(s, &s->verifier, t, fds + 1, 1, err) < 0 ||
	    stage_start(s, &s->unpacker, unpack, err) < 0)
		return -1;
	return ask(s, &s->unpacker, t, NULL, 0, err);
}

int handle_begin(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	int r = begin(s, t, fds, err);

	(void)out;
	if (r == 0)
		s->phase = WHEN_BUILDING;
	return abandon_failed(s, r);
}

int handle_release(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	(void)out;
	return abandon_failed(s, ask_release(s, t, fds, err));
}

int handle_index(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	(void)out;
	return abandon_failed(s, ask(s, &s->verifier, t, fds, 1, err));
}

int handle_package(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	int r = ask(s, &s->verifier, t, fds, 1, err);

	(void)out;
	if (r == 0 && s->native)
		r = ask(s, &s->unpacker, t, fds, 1, err);
	s->package_count += r == 0;
	return abandon_failed(s, r);
}

/* No user namespace can make device nodes. A guest mounts devtmpfs here; what redirects to
 * /dev/null before that finds a file at least. */
static int make_null(int tree, struct error **err)
{
	_cleanup_close_ int dev = tree_open_beneath(tree, "dev", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int null = -1;
	_for_range_;

	if (dev >= 0)
		null = tree_open_beneath(dev, "null", O_WRONLY | O_CREAT | O_EXCL, 0666);
	if (dev >= 0 && null < 0 && errno == EEXIST)
		return 0;
	if (null < 0 || fchmod(null, 0666) < 0 || fchown(null, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make /dev/null in the tree");
	return 0;
}

int handle_bootstrap(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		     struct error **err)
{
	(void)fds;
	(void)out;
	if ((!s->native && ask(s, &s->verifier, t, NULL, 0, err) < 0) ||
	    ask(s, &s->unpacker, t, NULL, 0, err) < 0) {
		build_abandon(s);
		return -1;
	}
	/* Nothing of ours is in the tree's reach when its own programs run. */
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	if (engine_configure(s, err) < 0 || make_null(s->tree, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->phase = WHEN_BUILT;
	return 0;
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

/* The tree's scripts have run: a link in place of the folder or file is a refusal. */
int manifest_place(int tree, int from, struct error **err)
{
	_cleanup_close_ int etc = tree_open_beneath(tree, "etc", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int folder = -1, to = -1;
	_for_range_;

	/* It is there already in a tree that shares files. */
	if (etc >= 0 && (mkdirat(etc, "rootlet", 0755) == 0 || errno == EEXIST))
		folder = tree_open_beneath(etc, "rootlet", O_RDONLY | O_DIRECTORY, 0);
	if (folder >= 0)
		to = tree_open_beneath(folder, "manifest.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (to < 0 || fchmod(folder, 0755) < 0 || fchown(folder, 0, 0) < 0 ||
	    fchmod(to, 0644) < 0 || fchown(to, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the manifest in the tree");
	return copy_manifest(from, to, err);
}

/* After a rename: what was STAGED is in the staging directory again, and OLD (-1: there was none)
 * has its name. */
static void take_name_back(const struct server *s, const char *staged, int old)
{
	if (old >= 0)
		renameat2(s->staging, staged, s->parent, s->name, RENAME_EXCHANGE);
	else
		renameat2(s->parent, s->name, s->staging, staged, RENAME_NOREPLACE);
}

/* Names STAGED, which is in the staging directory. OLD becomes the rootfs that had the name, locked
 * until it is removed: nobody is to begin to use it while it goes. -1: there was none. */
static int give_name(struct server *s, const char *staged, bool replace, int *old,
		     struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_close_ int lock = -1;
	unsigned flags = RENAME_EXCHANGE;

	if (!replace || claim_rootfs(s, s->parent, s->name, old, &missing) < 0) {
		if (missing && missing->code != ERR_MISSING) {
			*err = STEAL_PTR(missing);
			return -1;
		}
		flags = RENAME_NOREPLACE;
	}
	if (bounds_claim(s, s->parent, s->name, &lock, err) < 0)
		return -1;
	if (renameat2(s->staging, staged, s->parent, s->name, flags) < 0)
		return error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM,
				   "cannot give the rootfs its name %s", s->name);
	if (*old >= 0 && !tree_is(s->staging, staged, *old)) {
		take_name_back(s, staged, *old);
		return error_set(err, ERR_BUSY, "somebody exchanged %s meanwhile: try again",
				 s->name);
	}
	/* Before anything of the old tree goes, the new one's name is on disk. */
	if (fsync(s->parent) == 0)
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot write the name %s to disk", s->name);
	take_name_back(s, staged, *old);
	return -1;
}

int handle_publish(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	bool closed = t->publish.mode == MODE_CLOSED;
	_cleanup_close_ int old = -1;
	int r = 0;

	(void)out;
	if (fchmod(s->tree, 0755) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot set the mode of the tree");
	if (r == 0)
		r = manifest_place(s->tree, fds[0], err);
	if (r == 0 && closed)
		r = staging_close(s->staging, s->tree, err);
	/* The tool jail could write beside the tree. */
	else if (r == 0 && !tree_is(s->staging, STAGED_TREE, s->tree))
		r = error_set(err, ERR_TRUST, "the staging tree of %s was exchanged", s->name);
	/* Once, for all that the jail's sync calls did not do. */
	if (r == 0 && syncfs(s->tree) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot write the rootfs to disk");
	if (r == 0)
		r = give_name(s, closed ? STAGED_CLOSED : STAGED_TREE, t->publish.replace, &old,
			      err);
	build_abandon(s);
	return r;
}
