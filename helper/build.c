/* A tree from nothing to its name. It grows in a staging folder beside its destination, which
 * nobody but the range's first id can enter, and gets its name by one rename. */
#include "helper/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "helper/bounds.h"
#include "helper/builder.h"
#include "helper/rollback.h"
#include "helper/tree.h"
#include "helper/unpacker.h"

/* For one request: the longest is debootstrap's first stage. */
#define STAGE_SECONDS 3600

void stage_end(struct stage *stage)
{
	closep(&stage->socket);
	stage->socket = -1;
	jail_end(&stage->jail);
}

static void close_build(struct server *s)
{
	stage_end(&s->builder);
	stage_end(&s->unpacker);
	closep(&s->tree);
	closep(&s->staging);
	closep(&s->parent);
	s->tree = s->staging = s->parent = -1;
	s->phase = PHASE_IDLE;
}

void build_abandon(struct server *s)
{
	_cleanup_error_ struct error *err = NULL;

	if (s->staging < 0)
		return;
	stage_end(&s->builder);
	stage_end(&s->unpacker);
	if (tree_remove(s->parent, s->staging_name, s->staging, &err) < 0)
		fprintf(stderr, "%s\n", err && err->message ? err->message : "out of memory");
	close_build(s);
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

	if (mkdirat(staging, STAGED_TREE, 0755) == 0)
		tree = tree_open_own(staging, STAGED_TREE, O_RDONLY | O_DIRECTORY);
	if (tree < 0 || fchown(tree, 0, 0) < 0 || fchmod(tree, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the staging tree");
	return steal_fd(&tree);
}

int staging_open(int parent, const char *name, int *tree, struct error **err)
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
		tree_remove(parent, name, staging, NULL);
		return -1;
	}
	return steal_fd(&staging);
}

int staging_close(int staging, int tree, struct error **err)
{
	_cleanup_close_ int closed = -1;

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

int stage_start(struct stage *stage, const struct jail_spec *spec, struct error **err)
{
	struct jail_spec own = *spec;
	int ends[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	stage->socket = ends[0];
	own.socket = ends[1];
	/* Ours are /dev/null, which an unpack jail does not have, and the diagnostics. */
	for (int i = 0; i < 3; i++)
		own.stdio[i] = i;
	r = jail_start(&own, &stage->jail, err);
	close(ends[1]);
	return r;
}

/* One note of a jail's. Of what it sends beside, nothing is kept: it works on package data. */
static int receive_note(const struct stage *stage, struct note *note, struct error **err)
{
	int fds[PACKET_FDS_MAX];
	size_t count;
	ssize_t n = packet_receive(stage->socket, note, sizeof(*note), fds, &count, NULL);

	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	if (n != (ssize_t)sizeof(*note))
		return error_set(err, ERR_SYSTEM, "a jail ended before its time");
	note->text[sizeof(note->text) - 1] = '\0';
	return 0;
}

int stage_ask(struct server *s, const struct stage *stage, const struct task *task, const int *fds,
	      size_t count, struct note *note, struct error **err)
{
	struct pollfd polled[1 + WITNESSES] = { { .fd = stage->socket, .events = POLLIN } };
	int limit = serve_seconds(s, STAGE_SECONDS);
	int64_t end = serve_now() + limit;

	if (packet_send(stage->socket, task, sizeof(*task), fds, count, err) < 0)
		return -1;
	serve_watch_witnesses(s, polled + 1);
	for (;;) {
		if (RETRY_ON_EINTR(poll(polled, 1 + WITNESSES, 1000)) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot wait for a jail");
		if (serve_check_witnesses(polled + 1, err) < 0)
			return -1;
		if (serve_now() >= end)
			return error_set(err, ERR_INTERRUPTED, "it took longer than %d s", limit);
		if (!polled[0].revents)
			continue;
		if (receive_note(stage, note, err) < 0)
			return -1;
		if (note->kind == NOTE_RESULT)
			break;
		if (note->kind == NOTE_PROGRESS)
			serve_progress(s, note->text, note->progress.done, note->progress.total);
	}
	return note_error(note, err);
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
	struct note note;

	if (stage_ask(s, &s->builder, t, fds, 1, &note, err) < 0)
		return -1;
	return rollback_check(&s->session->rollback, s->suite, t, &note, err) < 0 ? -1 : 0;
}

int staging_make(struct server *s, int parent, const char *name, struct error **err)
{
	s->parent = fcntl(parent, F_DUPFD_CLOEXEC, 0);
	if (s->parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot keep the folder");
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->staging_name, sizeof(s->staging_name), "%s%s", STAGING_PREFIX, s->name);
	if (remove_stale(s->parent, STAGING_PREFIX, s->name, err) == 0)
		s->staging = staging_open(s->parent, s->staging_name, &s->tree, err);
	if (s->staging >= 0)
		return 0;
	close_build(s);
	return -1;
}

static int begin(struct server *s, const struct task *t, const int *fds, struct error **err)
{
	s->package_count = 0;
	snprintf(s->suite, sizeof(s->suite), "%s", t->begin.suite);
	s->native = strcmp(t->begin.engine, "native") == 0;
	if (staging_make(s, fds[0], t->begin.name, err) < 0 ||
	    stage_start(&s->builder,
			&(struct jail_spec){ JAIL_TOOL, .root = s->staging, .run = builder_run },
			err) < 0 ||
	    ask(s, &s->builder, t, fds + 1, 1, err) < 0)
		return -1;
	if (stage_start(&s->unpacker,
			&(struct jail_spec){ JAIL_UNPACK, .root = s->tree, .run = unpacker_run },
			err) < 0)
		return -1;
	return ask(s, &s->unpacker, t, NULL, 0, err);
}

int handle_begin(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	(void)out;
	if (begin(s, t, fds, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->phase = PHASE_BUILDING;
	return 0;
}

/* A link of the chain that does not hold ends the build: nothing of it is kept. */
int handle_to_builder(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		      struct error **err)
{
	(void)out;
	bool package = t->operation == OP_PACKAGE;

	if ((t->operation == OP_RELEASE ? ask_release(s, t, fds, err)
					: ask(s, &s->builder, t, fds, 1, err)) < 0 ||
	    (package && s->native && ask(s, &s->unpacker, t, fds, 1, err) < 0)) {
		build_abandon(s);
		return -1;
	}
	s->package_count += package;
	return 0;
}

/* No user namespace can make device nodes. A guest mounts devtmpfs here; what redirects to
 * /dev/null before that finds a file at least. */
static int make_null(int tree, struct error **err)
{
	_cleanup_close_ int dev = tree_open_beneath(tree, "dev", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int null = -1;

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
	if ((!s->native && ask(s, &s->builder, t, NULL, 0, err) < 0) ||
	    ask(s, &s->unpacker, t, NULL, 0, err) < 0) {
		build_abandon(s);
		return -1;
	}
	/* Nothing of ours is in the tree's reach when its own programs run. */
	stage_end(&s->builder);
	stage_end(&s->unpacker);
	if (engine_configure(s, err) < 0 || make_null(s->tree, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->phase = PHASE_BUILT;
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
		if (write(to, data, (size_t)n) != n)
			return error_errno(err, ERR_SPACE, "cannot write the manifest");
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read the manifest") : 0;
}

/* The tree's scripts have run: a link in place of the folder or file is a refusal. */
int manifest_place(int tree, int from, struct error **err)
{
	_cleanup_close_ int etc = tree_open_beneath(tree, "etc", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int folder = -1, to = -1;

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

	if (!replace || claim_rootfs(s->parent, s->name, old, &missing) < 0) {
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
