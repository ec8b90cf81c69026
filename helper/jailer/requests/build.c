/* Builds a tree, from nothing or from a copy of an older one, to its final name. The tree grows in
 * a staging directory beside its destination, which only the range's first id can enter, and gets
 * its name by one rename. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/jailer/bounds.h"
#include "helper/jailer/file_ids.h"
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"
#include "helper/jailer/requests/snapshots.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/stage.h"
#include "helper/jailer/staging.h"
#include "helper/jailer/tree_clone.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"
#include "lib/error_wrap.h"
#include "proto/note.h"

/* If any link of the chain of trust fails, the build ends and nothing of it is kept. */
static int abandon_failed(struct server *s, int r)
{
	if (r < 0)
		staging_abandon(s);
	return r;
}

/* Passes REQUEST to a worker, without its descriptors if FDS is 0. */
static int build_ask_worker(struct server *s, const struct stage *stage,
			    const struct request *request, size_t fds, struct error **err)
{
	struct note note;

	return stage_ask(s, stage, request->task, request->fds, fds, &note, err);
}

/* Starts the workers that receive the packages for S's tree. The second descriptor is the keyring.
 */
static int build_begin(struct server *s, const struct request *request, const char *engine,
		       struct error **err)
{
	const struct request keyring = { .task = request->task, .fds = request->fds + 1 };
	const struct jail_spec unpack = {
		.kind = JAIL_WORK,
		.worker = "unpack",
		.set = strcmp(engine, "pieces") == 0 ? PRIVILEGES_ASSEMBLER : PRIVILEGES_UNPACK,
		.root = s->tree,
	};

	s->native = strcmp(engine, "native") == 0;
	s->pieces = strcmp(engine, "pieces") == 0;
	s->changes = request->task->operation == OP_CHANGE;
	if (stage_start_verifier(s, &s->verifier, s->staging, true, err) < 0 ||
	    build_ask_worker(s, &s->verifier, &keyring, 1, err) < 0 ||
	    stage_start(s, &s->unpacker, unpack, err) < 0 ||
	    build_ask_worker(s, &s->unpacker, request, 0, err) < 0)
		return -1;
	s->phase = WHEN_BUILDING;
	return 0;
}

int handle_begin(struct server *s, struct request *request, struct error **err)
{
	const struct task *t = request->task;

	if (staging_make(s, request->fds[0], t->begin.name, err) < 0)
		return -1;
	s->epoch = t->begin.epoch;
	return abandon_failed(s, build_begin(s, request, t->begin.engine, err));
}

/* Fills S's tree with a copy of the rootfs OLD, which stays locked until the build ends. */
static int build_copy(struct server *s, int old, struct error **err)
{
	_cleanup_close_ int tree = rootfs_tree(old, NULL);

	s->old = old;
	return tree < 0 ? error_errno(err, ERR_SYSTEM, "cannot open the tree of %s", s->name)
			: tree_copy(s, tree, s->tree, err);
}

int handle_change(struct server *s, struct request *request, struct error **err)
{
	const char *name = request->task->change.name;
	_cleanup_close_ int old = -1;

	if (claim_rootfs(s, request->fds[0], name, &old, err) < 0)
		return -1;
	/* Programs of the copy run as its root. */
	if (!is_sound_rootfs(old))
		return error_set(err, ERR_REFUSED, "others can write to rootfs %s", name);
	if (staging_make(s, request->fds[0], name, err) < 0)
		return -1;
	s->epoch = 0;
	if (build_copy(s, steal_fd(&old), err) < 0)
		return abandon_failed(s, -1);
	return abandon_failed(s, build_begin(s, request, "native", err));
}

/* To the workers it is a Change that removes nothing. */
int handle_extend(struct server *s, struct request *request, struct error **err)
{
	const struct task *given = request->task;
	static struct task t;
	const struct request change = { .task = &t, .fds = request->fds + 1 };

	t.operation = OP_CHANGE;
	memcpy(t.change.suite, given->extend.suite, sizeof(t.change.suite));
	memcpy(t.change.arch, given->extend.arch, sizeof(t.change.arch));
	return snapshot_copy(s, request->fds[0], request->fds[1], given, err) < 0
		       ? -1
		       : abandon_failed(s, build_begin(s, &change, "native", err));
}

int handle_release(struct server *s, struct request *request, struct error **err)
{
	return abandon_failed(s, build_ask_worker(s, &s->verifier, request, 1, err));
}

int handle_repository(struct server *s, struct request *request, struct error **err)
{
	return abandon_failed(s, build_ask_worker(s, &s->verifier, request, 2, err));
}

int handle_index(struct server *s, struct request *request, struct error **err)
{
	return handle_release(s, request, err);
}

int handle_package(struct server *s, struct request *request, struct error **err)
{
	int r = build_ask_worker(s, &s->verifier, request, 1, err);

	if (r == 0 && (s->native || s->pieces))
		r = build_ask_worker(s, &s->unpacker, request, 1, err);
	return abandon_failed(s, r);
}

/* Nobody vouches for it but the caller, whose policy allows them to run anything in the rootfs as
 * root. So only the unpacker sees it. */
int handle_local_package(struct server *s, struct request *request, struct error **err)
{
	const struct task *given = request->task;
	static struct task t;
	struct request package = { .task = &t, .fds = request->fds };

	if (s->old < 0)
		return error_set(err, ERR_REFUSED, "LocalPackage refused: it goes with Change");
	t.operation = OP_PACKAGE;
	memcpy(t.package.name, given->local_package.name, sizeof(t.package.name));
	memcpy(t.package.sha256, given->local_package.sha256, sizeof(t.package.sha256));
	return abandon_failed(s, build_ask_worker(s, &s->unpacker, &package, 1, err));
}

/* Has the tree's own dpkg configure the unpacked packages, and writes the files that no package
 * provides. The front end saves the log in case a script fails, and counts the packages in it. */
static int configure_tree(struct server *s, struct error **err)
{
	const struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = s->tree,
		.script = s->changes  ? SCRIPT_CHANGE
			  : s->native ? SCRIPT_NATIVE
				      : SCRIPT_DEBOOTSTRAP,
		.epoch = s->epoch,
	};

	return jail_run_well(s, &spec,
			     s->native ? "configuring packages with dpkg"
				       : "debootstrap's second stage",
			     serve_log, err);
}

int handle_bootstrap(struct server *s, struct request *request, struct error **err)
{
	bool debootstrap = !s->native && !s->pieces;

	if ((debootstrap && build_ask_worker(s, &s->verifier, request, 0, err) < 0) ||
	    build_ask_worker(s, &s->unpacker, request, 0, err) < 0)
		return abandon_failed(s, -1);
	/* End our own processes before the tree's programs run, which could reach them. */
	stage_end(&s->verifier);
	stage_end(&s->unpacker);
	if (!s->pieces && configure_tree(s, err) < 0)
		return abandon_failed(s, -1);
	s->phase = WHEN_BUILT;
	return 0;
}

/* Undoes a rename: STAGED is in the staging directory again, and OLD (-1: there was no old rootfs)
 * has its name back. */
static void take_name_back(const struct server *s, const char *staged, int old)
{
	if (old >= 0)
		renameat2(s->staging, staged, s->parent, s->name, RENAME_EXCHANGE);
	else
		renameat2(s->parent, s->name, s->staging, staged, RENAME_NOREPLACE);
}

/* Gives STAGED, an entry of the staging directory, its final name. *OLD becomes the rootfs that had
 * this name, or -1. It stays locked until it is removed, so that nobody starts to use it. */
static int give_name(struct server *s, const char *staged, bool replace, int *old,
		     struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_close_ int lock = -1;
	unsigned flags = RENAME_EXCHANGE;

	*old = replace ? steal_fd(&s->old) : -1;
	if (!replace || (*old < 0 && claim_rootfs(s, s->parent, s->name, old, &missing) < 0)) {
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
		return error_set(err, ERR_BUSY,
				 "%s was replaced in the meantime; run the command again", s->name);
	}
	/* The new name must be on disk before any part of the old tree is removed. */
	if (fsync(s->parent) == 0)
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot write the name %s to disk", s->name);
	take_name_back(s, staged, *old);
	return -1;
}

#define PREVIOUS_NAME_SIZE (ROOTFS_NAME_MAX + sizeof(PREVIOUS_SUFFIX))

/* Sets NAME to NAME.previous, and claims the rootfs of that name, which the old one replaces.
 * *BEFORE is -1 if it is missing. Everything else in that place stays, so the request fails. */
static int claim_previous(const struct server *s, char name[static PREVIOUS_NAME_SIZE], int *before,
			  struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int lock = -1;

	snprintf(name, PREVIOUS_NAME_SIZE, "%s" PREVIOUS_SUFFIX, s->name);
	if (!valid_rootfs_name(name))
		return error_set(err, ERR_INPUT,
				 "the name %s is too long: the old rootfs could not be kept as %s",
				 s->name, name);
	if (claim_rootfs(s, s->parent, name, before, &why) < 0 &&
	    (!why || why->code != ERR_MISSING)) {
		*err = STEAL_PTR(why);
		return error_wrap(err, "cannot keep the old rootfs");
	}
	return bounds_claim(s, s->parent, name, &lock, err);
}

/* Gives the old rootfs OLD, which has the name STAGED now, the name PREVIOUS. The one BEFORE it
 * goes with the staging directory. On failure OLD has its own name again. */
static int keep_old(const struct server *s, const char *staged, const char *previous, int old,
		    int before, struct error **err)
{
	unsigned flags = before >= 0 ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	if (renameat2(s->staging, staged, s->parent, previous, flags) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot keep the old rootfs as %s", previous);
	} else if (before < 0 || tree_is(s->staging, staged, before)) {
		return fsync(s->parent) == 0
			       ? 0
			       : error_errno(err, ERR_SYSTEM, "cannot write the name %s to disk",
					     previous);
	} else {
		/* What goes with the staging directory must be the rootfs that was claimed. */
		renameat2(s->staging, staged, s->parent, previous, flags);
		error_set(err, ERR_BUSY, "%s was replaced in the meantime; run the command again",
			  previous);
	}
	take_name_back(s, staged, old);
	return -1;
}

int handle_publish(struct server *s, struct request *request, struct error **err)
{
	const char *staged =
		request->task->publish.mode == MODE_CLOSED ? STAGED_CLOSED : STAGED_TREE;
	bool closed = request->task->publish.mode == MODE_CLOSED;
	bool keeps = request->task->publish.replace && request->task->publish.keep_old;
	char previous[PREVIOUS_NAME_SIZE];
	_cleanup_close_ int old = -1, before = -1;
	int r = 0;

	if (fchmod(s->tree, 0755) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot set the mode of the tree");
	if (r == 0)
		r = manifest_place(s->tree, request->fds[0], err);
	if (r == 0)
		r = tree_clamp_times(s, s->tree, err);
	if (r == 0 && closed)
		r = staging_close(s->staging, s->tree, err);
	/* The tool jail can write to the staging directory: check that this is still our tree. */
	else if (r == 0 && !tree_is(s->staging, STAGED_TREE, s->tree))
		r = error_set(err, ERR_TRUST, "the staging tree of %s was replaced", s->name);
	/* Once, for all sync calls in the jails, which do nothing. */
	if (r == 0 && syncfs(s->tree) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot write the rootfs to disk");
	if (r == 0 && keeps)
		r = claim_previous(s, previous, &before, err);
	if (r == 0)
		r = give_name(s, staged, request->task->publish.replace, &old, err);
	if (r == 0 && old >= 0 && keeps)
		r = keep_old(s, staged, previous, old, before, err);
	staging_abandon(s);
	return r;
}
