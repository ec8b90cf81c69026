#include "helper/jailer/tree_clone.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/jailer/file_ids.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/staging.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"
#include "lib/error_wrap.h"
#include "lib/read_all.h"
#include "proto/note.h"

#define NAMES_MAX (64 << 20) /* bytes of a list of files */
#define TRIAL ".rootlet-trial"
#define COPIES "copies" /* in OWN_DIR */

struct placing {
	const struct server *server;
	int from, to;
	bool move; /* else link */
	struct error **err;
};

/* Reads the list as text that ends with two more NULs. Whatever it contains, nothing outside of the
 * two trees can be affected. */
static char *read_list(int fd, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size = 0, most;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > NAMES_MAX) {
		error_set(err, ERR_SYSTEM, "rootlet-worker sent no list of files");
		return NULL;
	}
	/* One byte more than the file has, for the second NUL. */
	most = (size_t)st.st_size + 1;
	text = lseek(fd, 0, SEEK_SET) == 0 ? read_all(fd, most, &size) : NULL;
	if (!text || size == most) {
		error_errno(err, ERR_SYSTEM, "cannot read a list of files");
		return NULL;
	}
	text[size + 1] = '\0';
	return STEAL_PTR(text);
}

/* Only files below /usr may be shared: a tree gets its own copies only there, before a program in
 * it could write to them. */
static bool is_below_usr(const char *path)
{
	return strncmp(path, "usr", 3) == 0 && (path[3] == '/' || path[3] == '\0');
}

static int place_one(const struct placing *p, int from, int to, const char *path, const char *name)
{
	int r = -1;

	errno = EINVAL;
	if (is_below_usr(path) && !strchr(name, '/') && !tree_is_dots(name))
		r = p->move ? renameat(from, name, to, name) : linkat(from, name, to, name, 0);
	return r == 0 ? 0
		      : error_errno(p->err, ERR_SYSTEM, "cannot %s /%.300s/%.255s",
				    p->move ? "replace" : "link", path, name);
}

/* Places the files of the directory PATH. NAMES are terminated by a NUL each. The directory's times
 * stay as they are. */
static int place_directory(const struct placing *p, const char *path, const char *names)
{
	_cleanup_close_ int from = tree_open_own(p->from, path, O_PATH | O_DIRECTORY);
	_cleanup_close_ int to = tree_open_own(p->to, path, O_RDONLY | O_DIRECTORY);
	struct timespec times[2];
	struct stat st;

	if (from < 0 || to < 0 || fstat(to, &st) < 0)
		return error_errno(p->err, ERR_SYSTEM, "cannot open /%.300s", path);
	for (; *names; names += strlen(names) + 1)
		if (place_one(p, from, to, path, names) < 0)
			return -1;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(to, times) < 0)
		return error_errno(p->err, ERR_SYSTEM, "cannot set the time of /%.300s", path);
	return serve_go_on(p->server, 0, p->err);
}

static int place_all(const struct placing *p, int list)
{
	_cleanup_free_ char *text = read_list(list, p->err);
	const char *at = text;

	while (at && *at) {
		const char *path = at, *names = path + strlen(path) + 1;

		if (place_directory(p, path, names) < 0)
			return -1;
		for (at = names; *at; at += strlen(at) + 1)
			;
		at++;
	}
	return text ? 0 : -1;
}

/* --- clones --- */

/* Tries it on one file, which exists in every tree. */
static bool can_link(int from, int to)
{
	_cleanup_close_ int directory = tree_open_beneath(from, "var/lib/dpkg", O_PATH, 0);
	bool can = directory >= 0 && linkat(directory, "status", to, TRIAL, 0) == 0;

	unlinkat(to, TRIAL, 0);
	return can;
}

/* The mark of a tree that shares files. A package may have made it, which does no harm as long as
 * it is a regular file. -1 if it is something else, or missing. */
static int open_mark(int dir, const char *path)
{
	_cleanup_close_ int mark = tree_open_own(dir, path, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (mark < 0 || fstat(mark, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return steal_fd(&mark);
}

/* No process outside of the tree may open the mark, because it could then lock it. */
static int mark_linked(int tree, struct error **err)
{
	_cleanup_close_ int dir = own_dir_make(tree);
	_cleanup_close_ int mark = dir < 0 ? -1 : file_make(dir, "linked", 0600);

	if (dir >= 0 && mark < 0 && errno == EEXIST)
		mark = open_mark(dir, "linked");
	return mark < 0 || fchown(mark, 0, 0) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot mark a tree that shares files")
		       : 0;
}

/* The worker writes the files that are TO's own. Links are made after it has exited, so that no
 * process that can write to TO ever has another tree's file in it. */
static int link_files(const struct server *s, int from, int to, int list, struct error **err)
{
	const struct placing p = { .server = s, .from = from, .to = to, .err = err };

	if (mark_linked(from, err) < 0 || mark_linked(to, err) < 0)
		return -1;
	return place_all(&p, list);
}

/* Has a worker fill TO. *LIST becomes the list of files to link, or -1. */
static int clone_fill(const struct server *s, int from, int to, bool linking, struct note *note,
		      int *list, struct error **err)
{
	const struct jail_spec spec = {
		.worker = linking ? "clone-to-link" : "clone",
		.set = PRIVILEGES_COPIER,
		.root = to,
		.source = from,
	};

	return tree_task_run(s, spec, true, note, list, err);
}

int tree_copy(const struct server *s, int from, int to, struct error **err)
{
	struct note note;

	return clone_fill(s, from, to, false, &note, NULL, err);
}

int tree_clone(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err)
{
	/* The file that marks a tree with shared files would make the trees differ. */
	const bool linking = !s->epoch && can_link(from, to);
	_cleanup_close_ int list = -1;
	struct note note;

	if (clone_fill(s, from, to, linking, &note, &list, err) < 0)
		return -1;
	*way = note.status == CLONE_REFLINK ? CLONE_REFLINK : linking ? CLONE_LINK : CLONE_COPY;
	if (*way == CLONE_LINK && link_files(s, from, to, list, err) < 0)
		return -1;
	return tree_digest(s, to, digest, err);
}

/* --- files of its own --- */

/* Makes an empty directory for copies beside the mark, and returns its descriptor, or -1. Removes
 * one that a killed helper left. */
static int clone_make_place(const struct server *s, int own, struct error **err)
{
	_cleanup_close_ int old = tree_open_own(own, COPIES, O_RDONLY | O_DIRECTORY);
	int fd;

	if (old >= 0 && tree_remove(s, own, COPIES, old, err) < 0)
		return -1;
	fd = file_make_dir(own, COPIES, 0700, false);
	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot make /" OWN_DIR "/" COPIES) : fd;
}

static int replace_files(const struct server *s, int tree, int copies, struct error **err)
{
	const struct placing p = {
		.server = s,
		.from = copies,
		.to = tree,
		.move = true,
		.err = err,
	};
	const struct jail_spec spec = {
		.worker = "clone-linked",
		.set = PRIVILEGES_COPIER,
		.root = copies,
		.source = tree,
	};
	_cleanup_close_ int list = -1;
	struct note note;

	return tree_task_run(s, spec, true, &note, &list, err) < 0 ? -1 : place_all(&p, list);
}

/* Copies are made by a worker that cannot write to the tree. */
static int break_links(const struct server *s, int tree, struct error **err)
{
	_cleanup_close_ int own = tree_open_own(tree, OWN_DIR, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int copies = -1;
	int r;

	if (own < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open /" OWN_DIR);
	copies = clone_make_place(s, own, err);
	if (copies < 0)
		return -1;
	r = replace_files(s, tree, copies, err);
	return tree_remove(s, own, COPIES, copies, err) < 0 ? -1 : r;
}

/* One helper at a time: one that waited finds the work done. Programs in the tree can lock the mark
 * as well, so the wait has a time limit. */
int tree_break_links(const struct server *s, int tree, struct error **err)
{
	_cleanup_close_ int mark = open_mark(tree, LINKED_MARK);
	struct stat st;

	if (mark < 0)
		return errno == ENOENT ? 0
				       : error_errno(err, ERR_SYSTEM, "cannot open /%s of the tree",
						     LINKED_MARK);
	if (serve_lock(s, mark, err) < 0)
		return error_wrap(err, "cannot lock /%s", LINKED_MARK);
	if (fstat(mark, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat /%s", LINKED_MARK);
	if (st.st_nlink == 0)
		return 0;
	if (break_links(s, tree, err) < 0)
		return -1;
	if (unlinkat(tree, LINKED_MARK, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove /%s", LINKED_MARK);
	return 0;
}
