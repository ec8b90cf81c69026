#include "helper/clone.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <search.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "helper/serve.h"
#include "helper/tree.h"
#include "lib/write_all.h"

#define DEPTH_MAX 1000
#define PART_NAME ".rootlet-part"
#define CLONE_SECONDS 3600
#define LOCK_SECONDS 120 /* for another helper that parts the same tree */
#define LOCK_PAUSE 50	 /* ms */
#define COPY_AT_ONCE (1 << 22)

/* A file of several names: the one that came first, by device (a subvolume has its own) and inode.
 */
struct twin {
	struct twin *next;
	dev_t device;
	ino_t inode;
	char path[]; /* in TO */
};

struct cloning {
	struct pace pace;
	int from, to; /* TO is -1 where there is only a digest to take */
	enum clone_way way;
	struct digesting *digest; /* NULL where none is wanted */
	struct twin *twins;
	void *index;		    /* of them: tsearch(3) */
	char path[PATH_LENGTH_MAX]; /* where we are */
	struct error **err;
};

static int fail(const struct cloning *c, const char *what)
{
	return error_errno(c->err, ERR_SYSTEM, "cannot %s /%.300s", what, c->path);
}

/* Whoever can write here did so between two looks of ours. */
static int fail_changed(const struct cloning *c)
{
	return error_set(c->err, ERR_BUSY, "/%.300s changed while it was read", c->path);
}

static int open_entry(const struct cloning *c, int folder, const char *name, int flags, mode_t type,
		      struct stat *st)
{
	return tree_open_entry(folder, name, flags, type, c->path, st, c->err);
}

/* --- extended attributes --- */

static int set_attribute(void *context, const char *name, const void *value, size_t size)
{
	return fsetxattr(*(int *)context, name, value, size, 0);
}

/* --- digest --- */

/* Of what was written: what FROM holds may be something else by now. */
static int add_file(struct cloning *c)
{
	return c->digest ? digest_file(c->digest, c->path, c->err) : 0;
}

static int add_entry(struct cloning *c, const struct stat *st, int fd, const char *target)
{
	return digest_entry(c->digest, c->path, st, fd, target, c->err);
}

/* --- files --- */

/* By hand: a filesystem may not copy between these two, or not at all. */
static int copy_by_hand(struct cloning *c, int from, int to)
{
	static char data[1 << 17];
	off_t at = 0;
	ssize_t n;

	while ((n = RETRY_ON_EINTR(pread(from, data, sizeof(data), at))) > 0) {
		if (pwrite_all(to, data, (size_t)n, at) < 0)
			return fail(c, "copy");
		at += n;
		if (pace_step(&c->pace, c->err) < 0)
			return -1;
	}
	return n < 0 ? fail(c, "copy") : 0;
}

static int copy_data(struct cloning *c, int from, int to)
{
	loff_t in = 0, out = 0;
	ssize_t n;

	while ((n = copy_file_range(from, &in, to, &out, COPY_AT_ONCE, 0)) > 0)
		if (pace_step(&c->pace, c->err) < 0)
			return -1;
	return n == 0 ? 0 : copy_by_hand(c, from, to);
}

/* What a new file, or a folder that is filled, gets last. */
static int set_facts(int from, int to, const struct stat *st, struct cloning *c)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return fail(c, "set the owner of");
	if (tree_each_attribute(from, set_attribute, &to) < 0)
		return fail(c, "copy the attributes of");
	return futimens(to, times) < 0 ? fail(c, "set the time of") : 0;
}

static int copy_file(struct cloning *c, int file, int to, const char *name, const struct stat *st)
{
	_cleanup_close_ int copy =
		openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (copy < 0)
		return fail(c, "copy");
	if ((c->way != CLONE_REFLINK || ioctl(copy, FICLONE, file) < 0) &&
	    copy_data(c, file, copy) < 0)
		return -1;
	return set_facts(file, copy, st, c);
}

static int compare_twins(const void *one, const void *other)
{
	const struct twin *a = one, *b = other;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

/* The path of the first name of the file, where there was one; else this one is it. */
static const char *find_twin(struct cloning *c, const struct stat *st)
{
	const struct twin key = { .device = st->st_dev, .inode = st->st_ino };
	const struct twin *const *found = tfind(&key, &c->index, compare_twins);
	size_t size = strlen(c->path) + 1;
	struct twin *twin;

	if (found)
		return (*found)->path;
	twin = malloc(sizeof(*twin) + size);
	if (twin) {
		twin->next = c->twins;
		twin->device = st->st_dev;
		twin->inode = st->st_ino;
		memcpy(twin->path, c->path, size);
		c->twins = twin;
		tsearch(twin, &c->index, compare_twins);
	}
	return NULL;
}

static void free_nothing(void *twin)
{
	(void)twin;
}

static void forget_twins(struct cloning *c)
{
	tdestroy(c->index, free_nothing);
	c->index = NULL;
	while (c->twins) {
		struct twin *twin = c->twins;

		c->twins = twin->next;
		free(twin);
	}
}

/* The tree's own links stay links, whatever becomes of those to other trees. */
static int share_twin(struct cloning *c, int to, const char *name, const char *twin)
{
	char folder[PATH_LENGTH_MAX];
	const char *slash = strrchr(twin, '/');
	_cleanup_close_ int fd = -1;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - twin) : 1,
		 slash ? twin : ".");
	fd = tree_open_beneath(c->to, folder, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || linkat(fd, slash ? slash + 1 : twin, to, name, 0) < 0)
		return fail(c, "link");
	return 0;
}

static bool may_share(const struct cloning *c)
{
	return strncmp(c->path, "usr/", 4) == 0 && strncmp(c->path, "usr/local/", 10) != 0;
}

static bool is_linked(int folder, const char *name, const struct stat *st)
{
	struct stat named;

	return fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

static int make_file(struct cloning *c, int from, int to, const char *name)
{
	struct stat st;
	_cleanup_close_ int file = open_entry(c, from, name, 0, S_IFREG, &st);
	const char *twin;

	if (file < 0)
		return -1;
	if (c->way == CLONE_LINK && may_share(c)) {
		/* By its name, which need not be the file's any more. */
		if (linkat(from, name, to, name, 0) == 0)
			return is_linked(to, name, &st) ? 0 : fail_changed(c);
		if (errno != EMLINK)
			return fail(c, "link");
	}
	twin = st.st_nlink > 1 ? find_twin(c, &st) : NULL;
	return twin ? share_twin(c, to, name, twin) : copy_file(c, file, to, name, &st);
}

static int clone_file(struct cloning *c, int from, int to, const char *name)
{
	return to >= 0 && make_file(c, from, to, name) < 0 ? -1 : add_file(c);
}

static int clone_link(struct cloning *c, int from, int to, const char *name, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	char target[PATH_LENGTH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail(c, "read the link");
	target[length] = '\0';
	if (add_entry(c, st, -1, target) < 0)
		return -1;
	if (to >= 0 && (symlinkat(target, to, name) < 0 ||
			fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
			utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0))
		return fail(c, "copy");
	return 0;
}

/* --- folders --- */

static int clone_below(struct cloning *c, int from, int to, int depth);

static int clone_folder(struct cloning *c, int from, int to, const char *name, int depth)
{
	struct stat st;
	_cleanup_close_ int folder = open_entry(c, from, name, O_DIRECTORY, S_IFDIR, &st);
	_cleanup_close_ int copy = -1;

	if (folder < 0)
		return -1;
	if (to >= 0 && mkdirat(to, name, 0700) == 0)
		copy = tree_open_own(to, name, O_RDONLY | O_DIRECTORY);
	if (to >= 0 && copy < 0)
		return fail(c, "copy");
	if (clone_below(c, folder, copy, depth + 1) < 0 ||
	    (copy >= 0 && set_facts(folder, copy, &st, c) < 0))
		return -1;
	return add_entry(c, &st, copy >= 0 ? copy : folder, NULL);
}

/* What the folder says of an entry is only a hint: whoever opens it looks again. */
static mode_t type_of(const struct cloning *c, int folder, const struct dirent *entry,
		      struct stat *st)
{
	if (entry->d_type == DT_DIR || entry->d_type == DT_REG)
		return DTTOIF(entry->d_type);
	if (fstatat(folder, entry->d_name, st, AT_SYMLINK_NOFOLLOW) < 0) {
		fail(c, "look at");
		return 0;
	}
	return st->st_mode & S_IFMT;
}

static int clone_entry(struct cloning *c, int from, int to, const struct dirent *entry, int depth)
{
	struct stat st;
	mode_t type;

	if (strcmp(c->path, OWN_FOLDER) == 0)
		return 0;
	type = type_of(c, from, entry, &st);
	if (!type)
		return -1;
	if (type == S_IFDIR)
		return clone_folder(c, from, to, entry->d_name, depth);
	if (type == S_IFREG)
		return clone_file(c, from, to, entry->d_name);
	if (type == S_IFLNK)
		return clone_link(c, from, to, entry->d_name, &st);
	/* Pipes and sockets of what once ran, which a copy does without. */
	return to >= 0 ? 0 : add_entry(c, &st, -1, NULL);
}

/* Puts NAME behind the path of the folder, which has LENGTH bytes. */
static int enter_path(struct cloning *c, size_t length, const char *name)
{
	size_t room = sizeof(c->path) - length;

	if (snprintf(c->path + length, room, "%s%s", length ? "/" : "", name) < (int)room)
		return 0;
	return error_set(c->err, ERR_SYSTEM, "a path is too long: /%.300s", c->path);
}

static int clone_below(struct cloning *c, int from, int to, int depth)
{
	_cleanup_(tree_close_folder) DIR *d = tree_open_folder(from, ".");
	size_t length = strlen(c->path);
	struct dirent *entry;

	if (!d || depth > DEPTH_MAX)
		return error_set(c->err, ERR_SYSTEM, "cannot look through /%.300s", c->path);
	while ((errno = 0, entry = readdir(d))) {
		if (tree_is_dots(entry->d_name))
			continue;
		if (pace_step(&c->pace, c->err) < 0 || enter_path(c, length, entry->d_name) < 0 ||
		    clone_entry(c, from, to, entry, depth) < 0)
			return -1;
		c->path[length] = '\0';
	}
	return errno ? fail(c, "look through") : 0;
}

/* The tree's own directory, but for its mode. */
static int clone_top(struct cloning *c)
{
	struct stat st;

	if (fstat(c->from, &st) < 0)
		return fail(c, "look at");
	if (c->to >= 0 && set_facts(c->from, c->to, &st, c) < 0)
		return -1;
	st.st_mode = S_IFDIR;
	return add_entry(c, &st, c->to >= 0 ? c->to : c->from, NULL);
}

static int run(struct cloning *c, struct tree_digest *digest)
{
	int r = digest_begin(c->digest, &c->pace, c->to >= 0 ? c->to : c->from, c->err);

	if (r == 0)
		r = clone_below(c, c->from, c->to, 0);
	if (r == 0)
		r = clone_top(c);
	if (r == 0)
		r = digest_end(c->digest, digest, c->err);
	digest_abandon(c->digest);
	forget_twins(c);
	return r;
}

/* --- ways --- */

/* Tries on one file, which is there in every tree. */
static enum clone_way find_way(int from, int to)
{
	static const char name[] = "var/lib/dpkg/status";
	_cleanup_close_ int file = tree_open_beneath(from, name, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_close_ int copy =
		openat(to, PART_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	_cleanup_close_ int folder = tree_open_beneath(from, "var/lib/dpkg", O_PATH, 0);
	enum clone_way way = CLONE_COPY;

	if (file >= 0 && copy >= 0 && ioctl(copy, FICLONE, file) == 0)
		way = CLONE_REFLINK;
	unlinkat(to, PART_NAME, 0);
	if (way == CLONE_COPY && folder >= 0 && linkat(folder, "status", to, PART_NAME, 0) == 0)
		way = CLONE_LINK;
	unlinkat(to, PART_NAME, 0);
	return way;
}

/* The mark of a tree that shares files already, or of a package's making, which does no harm as
 * long as it is a file: -1 where it is something else, or none. */
static int open_mark(int folder, const char *path)
{
	_cleanup_close_ int mark = tree_open_own(folder, path, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (mark < 0 || fstat(mark, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return steal_fd(&mark);
}

/* Nobody outside the tree is to open it: who opens it can lock it. */
static int make_mark(int folder)
{
	_cleanup_close_ int mark =
		tree_open_beneath(folder, "linked", O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (mark < 0 && errno == EEXIST)
		mark = open_mark(folder, "linked");
	return mark < 0 ? -1 : fchown(mark, 0, 0);
}

static int mark_linked(int tree, struct error **err)
{
	_cleanup_close_ int folder = tree_make_folders(tree, OWN_FOLDER);

	if (folder < 0 || fchownat(folder, "", 0, 0, AT_EMPTY_PATH) < 0 || make_mark(folder) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mark a tree that shares files");
	return 0;
}

int clone_tree(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err)
{
	struct digesting digesting;
	struct cloning c = {
		.pace = { .server = s, .began = serve_now(), .limit = CLONE_SECONDS },
		.from = from,
		.to = to,
		.digest = &digesting,
		.err = err,
	};

	*way = c.way = find_way(from, to);
	if (run(&c, digest) < 0)
		return -1;
	if (c.way != CLONE_LINK)
		return 0;
	return mark_linked(from, err) < 0 ? -1 : mark_linked(to, err);
}

int clone_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err)
{
	struct digesting digesting;
	struct cloning c = {
		.pace = { .server = s, .began = serve_now(), .limit = CLONE_SECONDS },
		.from = tree,
		.to = -1,
		.digest = &digesting,
		.err = err,
	};

	return run(&c, digest);
}

/* --- parting --- */

static int part_file(int folder, const char *name, struct cloning *c)
{
	struct stat st;
	_cleanup_close_ int file = open_entry(c, folder, name, 0, S_IFREG, &st);
	const char *twin;
	int r;

	if (file < 0)
		return -1;
	twin = find_twin(c, &st);
	r = twin ? share_twin(c, folder, PART_NAME, twin)
		 : copy_file(c, file, folder, PART_NAME, &st);
	if (r == 0 && renameat(folder, PART_NAME, folder, name) < 0)
		r = fail(c, "replace");
	return r;
}

static int part_below(struct cloning *c, int folder, int depth);

static int part_entry(struct cloning *c, int folder, const char *name, int depth)
{
	_cleanup_close_ int next = -1;
	struct stat st;

	if (pace_step(&c->pace, c->err) < 0)
		return -1;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(c, "look at");
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		return part_file(folder, name, c);
	if (!S_ISDIR(st.st_mode))
		return 0;
	next = open_entry(c, folder, name, O_DIRECTORY, S_IFDIR, &st);
	return next < 0 ? -1 : part_below(c, next, depth + 1);
}

static int not_dots(const struct dirent *entry)
{
	return !tree_is_dots(entry->d_name);
}

/* All names first: a renamed file may turn up once more in a folder that is still read. */
static int part_below(struct cloning *c, int folder, int depth)
{
	size_t length = strlen(c->path);
	struct dirent **entries = NULL;
	int count, r = 0;

	unlinkat(folder, PART_NAME, 0);
	count = depth > DEPTH_MAX ? -1 : scandirat(folder, ".", &entries, not_dots, NULL);
	if (count < 0)
		return fail(c, "look through");
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = enter_path(c, length, entries[i]->d_name);
		if (r == 0)
			r = part_entry(c, folder, entries[i]->d_name, depth);
		free(entries[i]);
	}
	free(entries);
	c->path[length] = '\0';
	return r;
}

/* One at a time; who waited finds it done. What runs in the tree can lock the mark as well, so
 * nobody waits for ever. */
static int lock_mark(const struct cloning *c, int mark)
{
	while (flock(mark, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(c, "lock the mark of");
		if (serve_go_on(c->pace.server, c->pace.began, LOCK_SECONDS, LOCK_PAUSE, c->err) <
		    0)
			return error_wrap(c->err, "cannot lock /%s", LINKED_MARK);
	}
	return 0;
}

int clone_part(const struct server *s, int tree, struct error **err)
{
	struct cloning c = {
		.pace = { .server = s, .began = serve_now(), .limit = CLONE_SECONDS },
		.from = tree,
		.to = tree,
		.way = CLONE_COPY,
		.path = "usr",
		.err = err,
	};
	_cleanup_close_ int mark = open_mark(tree, LINKED_MARK);
	_cleanup_close_ int usr = -1;
	struct stat st;
	int r;

	if (mark < 0)
		return errno == ENOENT ? 0
				       : error_errno(err, ERR_SYSTEM, "cannot open /%s of the tree",
						     LINKED_MARK);
	if (lock_mark(&c, mark) < 0)
		return -1;
	if (fstat(mark, &st) < 0)
		return fail(&c, "look for links in");
	if (st.st_nlink == 0)
		return 0;
	usr = tree_open_beneath(tree, "usr", O_RDONLY | O_DIRECTORY, 0);
	r = usr < 0 ? fail(&c, "open") : part_below(&c, usr, 0);
	forget_twins(&c);
	if (r == 0 && unlinkat(tree, LINKED_MARK, 0) < 0)
		r = fail(&c, "remove the mark of");
	return r;
}
