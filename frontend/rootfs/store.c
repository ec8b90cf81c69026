#include "frontend/rootfs/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/remove_rootfs.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/manifest.h"
#include "proto/validate.h"

static const char *const leftovers[] = { ".rootlet-staging.", ".rootlet-trash." };

char *store_dir(struct error **err)
{
	_cleanup_free_ char *home = paths_home(err);
	char *dir = NULL;

	if (home && asprintf(&dir, "%s/" STORE_DIR, home) < 0) {
		error_no_memory(err);
		return NULL;
	}
	return dir;
}

static int resolve_name(const char *name, char **parent, char **base, struct error **err)
{
	_cleanup_free_ char *dir = NULL, *copy = NULL;

	if (!valid_rootfs_name(name))
		return error_set(err, ERR_INPUT,
				 "\"%.80s\" is not a valid rootfs name: use 1 to %d "
				 "letters, digits, \"_\", \".\", \"+\" and \"-\", beginning with a "
				 "letter, a digit or \"_\"; for another directory use --path",
				 name, ROOTFS_NAME_MAX);
	dir = store_dir(err);
	if (!dir)
		return -1;
	copy = strdup(name);
	if (!copy)
		return error_no_memory(err);
	*parent = STEAL_PTR(dir);
	*base = STEAL_PTR(copy);
	return 0;
}

/* Splits PATH, without trailing slashes, into directory and last component. */
static int resolve_path(const char *path, char **parent, char **base, struct error **err)
{
	_cleanup_free_ char *copy = strdup(path), *dir = NULL, *name = NULL;
	size_t n = strlen(path);
	char *slash;

	if (!copy)
		return error_no_memory(err);
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	name = strdup(slash ? slash + 1 : copy);
	if (!name || !valid_rootfs_name(name))
		return error_set(err, ERR_INPUT,
				 "\"%.200s\" is not a valid rootfs path: its last component "
				 "must be 1 to %d letters, digits, \"_\", \".\", \"+\" and \"-\", "
				 "beginning with a letter, a digit or \"_\"",
				 path, ROOTFS_NAME_MAX);
	if (slash)
		*slash = '\0';
	/* Only for display, without symlinks and dots; opening it is the real check. */
	dir = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!dir && errno == ENOENT)
		return error_set(err, ERR_MISSING,
				 "the directory of %s does not exist; create it with: mkdir "
				 "-p %s",
				 path, copy);
	if (!dir)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory of %s", path);
	*parent = STEAL_PTR(dir);
	*base = STEAL_PTR(name);
	return 0;
}

int store_resolve(const char *name, const char *path, char **parent, char **base,
		  struct error **err)
{
	if (name && path)
		return error_set(err, ERR_INPUT, "--name and --path are mutually exclusive");
	if (path)
		return resolve_path(path, parent, base, err);
	return resolve_name(name ? name : STORE_DEFAULT_NAME, parent, base, err);
}

char *store_join(const char *parent, const char *base)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, base) < 0)
		return NULL;
	return path;
}

bool store_may_be_rootfs(int directory)
{
	_cleanup_close_ int closed = -1;
	struct stat st;

	if (tree_has(directory, MANIFEST_PATH, S_IFREG) ||
	    tree_has(directory, VIEW_CLOSED_TREE "/" MANIFEST_PATH, S_IFREG))
		return true;
	closed = tree_open(directory, VIEW_CLOSED_TREE, O_PATH);
	return closed < 0 && errno == EACCES && fstat(directory, &st) == 0 &&
	       st.st_uid != geteuid();
}

static bool store_has(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return name[0] != '.' && fd >= 0 && store_may_be_rootfs(fd);
}

int store_list(char **path, char ***names, struct error **err)
{
	_cleanup_close_ int parent = -1;
	struct dirent **entries = NULL;
	size_t count = 0;
	int n, r = 0;

	*names = NULL;
	*path = store_dir(err);
	if (!*path)
		return -1;
	parent = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 && errno == ENOENT)
		return 0;
	n = parent < 0 ? -1 : scandirat(parent, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", *path);
	for (int i = 0; i < n; i++) {
		if (r == 0 && store_has(parent, entries[i]->d_name))
			r = words_add(names, &count, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? error_no_memory(err) : 0;
}

static int report_foreign(const char *absolute, struct error **err)
{
	return error_set(err, ERR_REFUSED,
			 "%s was not made by rootlet: it has no /" MANIFEST_PATH
			 "; choose another with --name or --path, see: rootlet list",
			 absolute);
}

static int report_missing(const char *absolute, const char *name, const char *path,
			  struct error **err)
{
	if (path)
		return error_set(err, ERR_MISSING,
				 "no rootfs at %s; make one with: rootlet create "
				 "--path %s",
				 absolute, path);
	return error_set(err, ERR_MISSING, "no rootfs at %s; make one with: rootlet create%s%s",
			 absolute, name ? " --name " : "", name ? name : "");
}

int store_check_unused(int tree, const char *parent, const char *base, struct error **err)
{
	_cleanup_free_ char *path = NULL;

	if (flock(tree, LOCK_EX | LOCK_NB) == 0)
		return flock(tree, LOCK_UN);
	path = store_join(parent, base);
	return error_set(err, ERR_BUSY,
			 "the rootfs at %s is in use; wait for its `rootlet run` or `rootlet "
			 "shell` to end",
			 path ? path : base);
}

int store_find(const char *name, const char *path, int *directory, char **absolute,
	       struct error **err)
{
	_cleanup_free_ char *parent = NULL, *base = NULL, *full = NULL;
	_cleanup_close_ int fd = -1;

	if (store_resolve(name, path, &parent, &base, err) < 0)
		return -1;
	full = store_join(parent, base);
	if (!full)
		return error_no_memory(err);
	fd = open(full, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return report_missing(full, name, path, err);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, ERR_REFUSED,
				 "%s is not a directory, or is a symlink; give the rootfs's "
				 "own path",
				 full);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", full);
	if (!store_may_be_rootfs(fd))
		return report_foreign(full, err);
	*directory = steal_fd(&fd);
	*absolute = STEAL_PTR(full);
	return 0;
}

int store_open(struct helper *h, int directory, const char *absolute, int *rootfs, bool *closed,
	       struct error **err)
{
	const struct host_ids *ids = helper_ids(h);
	_cleanup_error_ struct error *why = NULL;
	struct stat st;

	if (fstat(directory, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat %s", absolute);
	if (st.st_uid == geteuid())
		return report_foreign(absolute, err);
	if (st.st_uid != ids->first_uid || st.st_gid != ids->first_gid)
		return error_set(err, ERR_HOST,
				 "the rootfs at %s was made with host ids %u:%u, but yours are "
				 "now %u:%u; restore the range in /etc/subuid and /etc/subgid; "
				 "without it, only root can remove the rootfs: rm -r %s",
				 absolute, (unsigned)st.st_uid, (unsigned)st.st_gid, ids->first_uid,
				 ids->first_gid, absolute);
	if (view_open(h, directory, rootfs, closed, &why) == 0)
		return 0;
	if (why && why->code == ERR_MISSING)
		return report_foreign(absolute, err);
	if (err)
		*err = STEAL_PTR(why);
	return -1;
}

/* The name of the rootfs whose staging or trash directory ENTRY is, or NULL. */
static const char *leftover_of(const char *entry)
{
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		size_t length = strlen(leftovers[i]);

		if (strncmp(entry, leftovers[i], length) == 0 && valid_rootfs_name(entry + length))
			return entry + length;
	}
	return NULL;
}

/* Walks the leftovers in PARENT until VISIT (called with CONTEXT) returns true. */
static bool walk_leftovers(int parent, const char *name,
			   bool (*visit)(const char *name, void *context), void *context)
{
	int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	bool found = false;

	if (!dir) {
		closep(&copy);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		const char *of = leftover_of(entry->d_name);

		if (of && (!name || strcmp(of, name) == 0))
			found = visit(of, context);
	}
	closedir(dir);
	return found;
}

static bool visit_any(const char *name, void *context)
{
	(void)name;
	(void)context;
	return true;
}

bool store_has_stale(int parent, const char *name)
{
	return walk_leftovers(parent, name, visit_any, NULL);
}

struct sweep {
	struct helper *helper;
	int parent;
};

static bool store_visit_remove(const char *name, void *context)
{
	const struct sweep *sweep = context;
	_cleanup_error_ struct error *err = NULL;

	if (remove_rootfs(sweep->helper, sweep->parent, name, true, &err) < 0 && err &&
	    err->code != ERR_BUSY && err->code != ERR_MISSING && err->code != ERR_INTERRUPTED)
		fprintf(stderr, "rootlet: cannot remove leftovers of a killed run of \"%s\": %s\n",
			name, text_clean(err->message));
	return false;
}

void store_sweep(struct helper *helper, int parent, const char *name)
{
	struct sweep sweep = { .helper = helper, .parent = parent };

	walk_leftovers(parent, name, store_visit_remove, &sweep);
}

void store_tidy(const char *purpose, const char *dir)
{
	_cleanup_close_ int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct helper *helper = NULL;

	if (parent < 0 || !store_has_stale(parent, NULL) ||
	    helper_start(purpose, NULL, &helper, NULL) < 0)
		return;
	store_sweep(helper, parent, NULL);
	helper_stop(&helper);
}
