#include "helper/worker/tree/walk.h"

#include <fcntl.h>
#include <string.h>

#include "lib/error_wrap.h"

/* How deep directories may be nested: each open one takes a descriptor, and there are at most
 * 4096. */
#define DEPTH_MAX 1000
#define SHOWN 400 /* of a path */

/* Trees may be deeper than the descriptors last. A directory that is too deep is moved to the top,
 * where the walk finds it again. */
static int hoist(struct walk *w, int directory, const char *name)
{
	char moved[32];
	int r;

	if (w->top < 0) {
		errno = ELOOP;
		return -1;
	}
	do {
		snprintf(moved, sizeof(moved), ".hoisted.%u", w->hoisted++);
		r = renameat2(directory, name, w->top, moved, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	return r;
}

/* By a call whose flags a filter can see: the remover can open nothing else. */
static DIR *open_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		closep(&fd);
	return d;
}

static int walk_directory(struct walk *w, int parent, const char *name, unsigned depth);

static int walk_entry(struct walk *w, int directory, const char *name, unsigned depth)
{
	struct statx st;

	if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
		return -1;
	/* A mount is not part of the tree: emptying it would destroy somebody else's data. */
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		errno = EXDEV;
		return -1;
	}
	if (S_ISDIR(st.stx_mode)) {
		if (depth == DEPTH_MAX)
			return hoist(w, directory, name);
		if (walk_directory(w, directory, name, depth + 1) < 0)
			return -1;
	}
	return w->visit(w, directory, name, &st);
}

/* Appends NAME to the path of its directory, which has LENGTH bytes. */
static void walk_enter(struct walk *w, size_t length, const char *name)
{
	size_t room = sizeof(w->path) - length;

	if (w->cut ||
	    (size_t)snprintf(w->path + length, room, "%s%s", length ? "/" : "", name) >= room) {
		w->path[length] = '\0';
		w->cut++;
	}
}

static void leave(struct walk *w, size_t length)
{
	if (w->cut)
		w->cut--;
	w->path[length] = '\0';
}

static int walk_directory(struct walk *w, int parent, const char *name, unsigned depth)
{
	_cleanup_(tree_close_dir) DIR *d = open_directory(parent, name);
	size_t length = strlen(w->path);
	struct dirent *entry;

	if (!d)
		return -1;
	while ((errno = 0, entry = readdir(d))) {
		if (tree_is_dots(entry->d_name))
			continue;
		walk_enter(w, length, entry->d_name);
		if (!(w->skip && !w->cut && strcmp(w->path, w->skip) == 0) &&
		    walk_entry(w, dirfd(d), entry->d_name, depth) < 0)
			return -1;
		leave(w, length);
	}
	return errno ? -1 : 0;
}

int walk(struct walk *w, int tree)
{
	w->path[0] = '\0';
	w->cut = 0;
	w->hoisted = 0;
	return walk_directory(w, tree, ".", 0);
}

int walk_explain(struct walk *w, const char *what, struct error **err)
{
	const char *more = w->cut || strlen(w->path) > SHOWN ? "…" : "";

	if (w->error) {
		if (err && !*err)
			*err = STEAL_PTR(w->error);
		error_free(&w->error);
		return error_wrap(err, "cannot %s", what);
	}
	for (char *c = w->path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (errno == EXDEV)
		return error_set(err, ERR_BUSY,
				 "cannot %s: something is mounted on /%.400s%s; find it with "
				 "findmnt and remove it with umount",
				 what, w->path, more);
	return error_errno(err, ERR_SYSTEM, "cannot %s: /%.400s%s", what, w->path, more);
}

static int visit_nothing(struct walk *w, int directory, const char *name, const struct statx *st)
{
	(void)w;
	(void)directory;
	(void)name;
	(void)st;
	return 0;
}

int check_mounts(int tree, struct error **err)
{
	struct walk w = { .visit = visit_nothing, .top = -1 };

	if (walk(&w, tree) == 0 || errno == ELOOP)
		return 0;
	return walk_explain(&w, "remove it", err);
}

static int walk_visit_remove(struct walk *w, int directory, const char *name,
			     const struct statx *st)
{
	(void)w;
	return unlinkat(directory, name, S_ISDIR(st->stx_mode) ? AT_REMOVEDIR : 0);
}

int empty_tree(int tree, struct error **err)
{
	struct walk w = { .visit = walk_visit_remove, .top = tree };

	do
		if (walk(&w, tree) < 0)
			return walk_explain(&w, "remove everything", err);
	while (w.hoisted);
	return 0;
}
