#include "helper/worker/tree/clone.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <search.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "helper/worker/entries.h"
#include "lib/pwrite_all.h"

#define DEPTH_MAX 1000
#define TRIAL ".rootlet-trial"
#define COPY_AT_ONCE (1 << 22)
#define LINKS_MOST 32000 /* per file; ext4 allows the fewest of all filesystems, 65,000 */

/* The first name of a file with several names, by device (a subvolume has its own) and inode. */
struct twin {
	struct twin *next;
	dev_t device;
	ino_t inode;
	char path[]; /* in TO */
};

struct cloning {
	int from, to;
	enum clone_way way;
	bool linked; /* only files below /usr that have several names */
	FILE *list;  /* of names; NULL: not wanted */
	struct twin *twins;
	void *index;		    /* of these: tsearch(3) */
	char path[PATH_LENGTH_MAX]; /* of the current entry */
	struct error **err;
};

static int clone_fail(const struct cloning *c, const char *what)
{
	return error_errno(c->err, ERR_SYSTEM, "cannot %s /%.300s", what, c->path);
}

static int open_entry(const struct cloning *c, int dir, const char *name, int flags, mode_t type,
		      struct stat *st)
{
	return tree_open_entry(dir, name, flags, type, c->path, st, c->err);
}

/* --- extended attributes --- */

static int set_attribute(void *context, const char *name, const void *value, size_t size)
{
	return fsetxattr(*(int *)context, name, value, size, 0);
}

/* --- files --- */

/* For filesystems that do not support copying between these two, or at all. */
static int copy_by_hand(struct cloning *c, int from, int to)
{
	static char data[1 << 17];
	off_t at = 0;
	ssize_t n;

	while ((n = RETRY_ON_EINTR(pread(from, data, sizeof(data), at))) > 0) {
		if (pwrite_all(to, data, (size_t)n, at) < 0)
			return clone_fail(c, "copy");
		at += n;
	}
	return n < 0 ? clone_fail(c, "copy") : 0;
}

static int copy_data(struct cloning *c, int from, int to)
{
	loff_t in = 0, out = 0;
	ssize_t n;

	while ((n = copy_file_range(from, &in, to, &out, COPY_AT_ONCE, 0)) > 0)
		;
	return n == 0 ? 0 : copy_by_hand(c, from, to);
}

/* To be called last, for a new file or for a directory once it is filled. */
static int set_facts(int from, int to, const struct stat *st, struct cloning *c)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return clone_fail(c, "set the owner of");
	if (tree_each_attribute(from, set_attribute, &to) < 0)
		return clone_fail(c, "copy the attributes of");
	return futimens(to, times) < 0 ? clone_fail(c, "set the time of") : 0;
}

static int copy_file(struct cloning *c, int file, int to, const char *name, const struct stat *st)
{
	_cleanup_close_ int copy =
		openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (copy < 0)
		return clone_fail(c, "copy");
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

/* The path of the file's first name; NULL if this is the first, which is recorded then. */
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

/* Hard links within the tree are kept, whatever happens to those to other trees. */
static int share_twin(struct cloning *c, int to, const char *name, const char *twin)
{
	char dir[PATH_LENGTH_MAX];
	const char *slash = strrchr(twin, '/');
	_cleanup_close_ int fd = -1;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - twin) : 1, slash ? twin : ".");
	fd = tree_open_beneath(c->to, dir, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || linkat(fd, slash ? slash + 1 : twin, to, name, 0) < 0)
		return clone_fail(c, "link");
	return 0;
}

static bool may_share(const struct cloning *c)
{
	return strncmp(c->path, "usr/", 4) == 0 && strncmp(c->path, "usr/local/", 10) != 0;
}

/* Appends NAME to NAMES, the list of this directory, if the jailer is to link or replace the
 * file. */
static int clone_file(struct cloning *c, int from, int to, const char *name, FILE *names)
{
	struct stat st;
	_cleanup_close_ int file = open_entry(c, from, name, 0, S_IFREG, &st);
	const char *twin;

	if (file < 0)
		return -1;
	if (c->linked && st.st_nlink == 1)
		return 0;
	if (c->linked || (c->way == CLONE_LINK && may_share(c) && st.st_nlink < LINKS_MOST)) {
		fwrite(name, 1, strlen(name) + 1, names);
		if (!c->linked)
			return 0;
	}
	twin = st.st_nlink > 1 ? find_twin(c, &st) : NULL;
	return twin ? share_twin(c, to, name, twin) : copy_file(c, file, to, name, &st);
}

static int clone_link(struct cloning *c, int from, int to, const char *name)
{
	char target[PATH_LENGTH_MAX];
	struct timespec times[2];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);
	struct stat st;

	if (length < 0 || fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return clone_fail(c, "read the link");
	target[length] = '\0';
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (symlinkat(target, to, name) < 0 ||
	    fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return clone_fail(c, "copy");
	return 0;
}

/* --- directories --- */

static int clone_below(struct cloning *c, int from, int to, int depth);

static int clone_dir(struct cloning *c, int from, int to, const char *name, int depth)
{
	struct stat st;
	_cleanup_close_ int dir = open_entry(c, from, name, O_DIRECTORY, S_IFDIR, &st);
	_cleanup_close_ int copy = -1;

	if (dir < 0)
		return -1;
	if (mkdirat(to, name, 0700) == 0)
		copy = tree_open_own(to, name, O_RDONLY | O_DIRECTORY);
	if (copy < 0)
		return clone_fail(c, "copy");
	if (clone_below(c, dir, copy, depth + 1) < 0)
		return -1;
	return set_facts(dir, copy, &st, c);
}

/* The type in a directory entry is only a hint: opening the entry checks it again. */
static mode_t type_of(const struct cloning *c, int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return DTTOIF(entry->d_type);
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		clone_fail(c, "stat");
		return 0;
	}
	return st.st_mode & S_IFMT;
}

static int clone_entry(struct cloning *c, int from, int to, const struct dirent *entry, int depth,
		       FILE *names)
{
	if (strcmp(c->path, OWN_DIR) == 0)
		return 0;
	switch (type_of(c, from, entry)) {
	case 0:
		return -1;
	case S_IFDIR:
		return clone_dir(c, from, to, entry->d_name, depth);
	case S_IFREG:
		return clone_file(c, from, to, entry->d_name, names);
	case S_IFLNK:
		return c->linked ? 0 : clone_link(c, from, to, entry->d_name);
	default:
		/* Pipes and sockets of programs that ran once. A copy does not need them. */
		return 0;
	}
}

/* Appends NAME to the path of its directory, which has LENGTH bytes. */
static int enter_path(struct cloning *c, size_t length, const char *name)
{
	size_t room = sizeof(c->path) - length;

	if (snprintf(c->path + length, room, "%s%s", length ? "/" : "", name) < (int)room)
		return 0;
	return error_set(c->err, ERR_SYSTEM, "a path is too long: /%.300s", c->path);
}

static int read_dir(struct cloning *c, int from, int to, int depth, FILE *names)
{
	_cleanup_(tree_close_dir) DIR *d = tree_open_dir(from, ".");
	size_t length = strlen(c->path);
	struct dirent *entry;

	if (!d || depth > DEPTH_MAX)
		return error_set(c->err, ERR_SYSTEM, "cannot read /%.300s", c->path);
	while ((errno = 0, entry = readdir(d))) {
		if (tree_is_dots(entry->d_name))
			continue;
		if (enter_path(c, length, entry->d_name) < 0 ||
		    clone_entry(c, from, to, entry, depth, names) < 0)
			return -1;
		c->path[length] = '\0';
	}
	return errno ? clone_fail(c, "read") : 0;
}

/* Collects the names of one directory, so that they are together in the list even though other
 * directories are read in between. */
static int clone_below(struct cloning *c, int from, int to, int depth)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *names = open_memstream(&text, &size);
	int r = names ? read_dir(c, from, to, depth, names) : -1;

	if (!names || fclose(names) != 0)
		return error_no_memory(c->err);
	if (r == 0 && size && c->list)
		fprintf(c->list, "%s%c", c->path, '\0');
	if (r == 0 && size && c->list && fwrite(text, 1, size, c->list) == size)
		fputc('\0', c->list);
	return r;
}

/* --- ways --- */

/* Tries it on one file, which exists in every tree. */
static bool can_reflink(int from, int to)
{
	_cleanup_close_ int file =
		tree_open_beneath(from, "var/lib/dpkg/status", O_RDONLY | O_NONBLOCK, 0);
	_cleanup_close_ int copy =
		openat(to, TRIAL, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool can = file >= 0 && copy >= 0 && ioctl(copy, FICLONE, file) == 0;

	unlinkat(to, TRIAL, 0);
	return can;
}

static int open_list(struct cloning *c)
{
	int fd = memfd_create("names", MFD_CLOEXEC);

	c->list = fd < 0 ? NULL : fdopen(fd, "w");
	if (!c->list) {
		closep(&fd);
		return error_errno(c->err, ERR_SPACE, "cannot make a list of files");
	}
	return 0;
}

/* Ends the list. *NAMES becomes its descriptor, or -1 if there is no list or R is -1. */
static int close_list(struct cloning *c, int r, int *names)
{
	*names = -1;
	forget_twins(c);
	if (!c->list)
		return r;
	if (r == 0 && (fflush(c->list) != 0 || ferror(c->list) ||
		       (*names = fcntl(fileno(c->list), F_DUPFD_CLOEXEC, 0)) < 0))
		r = error_errno(c->err, ERR_SPACE, "cannot store a list of files");
	fclose(c->list);
	return r;
}

static int clone_all(struct cloning *c)
{
	struct stat st;

	if (fstat(c->from, &st) < 0)
		return clone_fail(c, "stat");
	if (clone_below(c, c->from, c->to, 0) < 0)
		return -1;
	return set_facts(c->from, c->to, &st, c);
}

int clone_tree(int from, int to, enum clone_way *way, int *names, struct error **err)
{
	struct cloning c = { .from = from, .to = to, .way = *way, .err = err };
	int r = 0;

	if (can_reflink(from, to))
		*way = c.way = CLONE_REFLINK;
	if (c.way == CLONE_LINK)
		r = open_list(&c);
	return close_list(&c, r == 0 ? clone_all(&c) : -1, names);
}

int clone_linked(int from, int to, int *names, struct error **err)
{
	struct cloning c = {
		.from = from, .to = to, .way = CLONE_COPY, .linked = true, .err = err
	};
	_cleanup_close_ int usr = tree_open_beneath(from, "usr", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int copy = -1;
	int r = -1;

	snprintf(c.path, sizeof(c.path), "usr");
	if (usr >= 0 && mkdirat(to, "usr", 0700) == 0)
		copy = tree_open_own(to, "usr", O_RDONLY | O_DIRECTORY);
	if (copy < 0)
		clone_fail(&c, "open");
	else if (open_list(&c) == 0)
		r = clone_below(&c, usr, copy, 0);
	return close_list(&c, r, names);
}
