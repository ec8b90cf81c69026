#include "helper/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "helper/idmap.h"
#include "helper/serve.h"
#include "lib/read_all.h"
#include "lib/write_all.h"

#define COUNT_SECONDS 1800
#define ROOM_LEAST (16u << 20) /* bytes; with less a package of middling size does not unpack */
#define FILES_LEAST 256
/* Folders in folders: each that is open takes a descriptor, of which there are 4096 at most. */
#define DEPTH_MAX 1000
#define OPEN_TRIES 1000
/* The range's last id, nobody's. The kernel shows an id that is not mapped as this one, too. */
#define LAST_OWN (RANGE_COUNT - 1)
#define WHERE_MAX 512
#define NAMES_MAX 65536 /* of extended attributes: XATTR_LIST_MAX */
#define VALUE_MAX 65536
#define SEEN_MAX ((size_t)1 << 22) /* inodes: 64 MiB; beyond them, each name counts as a file */

void tree_close_folder(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int open_by(int folder, const char *path, int flags, mode_t mode, uint64_t more)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | more,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, folder, path, &how, sizeof(how)));
}

int tree_open_beneath(int folder, const char *path, int flags, mode_t mode)
{
	return open_by(folder, path, flags, mode, 0);
}

int tree_open_own(int folder, const char *path, int flags)
{
	return open_by(folder, path, flags, 0, RESOLVE_NO_XDEV);
}

int tree_open_inside(int folder, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd = -1;

	/* openat2(2): EAGAIN says that something was renamed meanwhile, anywhere on the machine. */
	for (unsigned i = 0; i < OPEN_TRIES; i++) {
		fd = (int)RETRY_ON_EINTR(syscall(SYS_openat2, folder, path, &how, sizeof(how)));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

bool tree_is(int folder, const char *name, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* Each part in a folder that is open: a link among them would lead out of the tree. */
int tree_make_folders(int folder, const char *path)
{
	_cleanup_close_ int at = tree_open_beneath(folder, ".", O_PATH | O_DIRECTORY, 0);
	char part[256];

	while (at >= 0 && *(path += strspn(path, "/"))) {
		size_t length = strcspn(path, "/");
		int next;

		if (length >= sizeof(part)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(part, path, length);
		part[length] = '\0';
		path += length;
		if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
			return -1;
		next = tree_open_beneath(at, part, O_PATH | O_DIRECTORY, 0);
		closep(&at);
		at = next;
	}
	return steal_fd(&at);
}

char *tree_read_file(int folder, const char *path, size_t most, size_t *size)
{
	_cleanup_close_ int fd = tree_open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		errno = EFBIG;
		return NULL;
	}
	return read_all(fd, (size_t)st.st_size, size);
}

int tree_copy_data(int from, int to)
{
	char data[16384];
	ssize_t n;

	while ((n = RETRY_ON_EINTR(read(from, data, sizeof(data)))) > 0)
		if (write_all(to, data, (size_t)n) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

int tree_open_entry(int folder, const char *name, int flags, mode_t type, const char *path,
		    struct stat *st, struct error **err)
{
	_cleanup_close_ int fd = tree_open_own(folder, name, O_RDONLY | O_NONBLOCK | flags);

	*st = (struct stat){ 0 };
	if (fd < 0 || fstat(fd, st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open /%.300s", path);
	if ((st->st_mode & S_IFMT) != type)
		return error_set(err, ERR_BUSY, "/%.300s changed while it was read", path);
	return steal_fd(&fd);
}

DIR *tree_open_folder(int folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV,
	};
	int fd = (int)RETRY_ON_EINTR(syscall(SYS_openat2, folder, name, &how, sizeof(how)));
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		closep(&fd);
	return d;
}

bool tree_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct walk {
	/* What to do with an entry; folders are visited after what is in them. */
	int (*visit)(int folder, const char *name, const struct statx *st, void *context);
	void *context;
	struct pace *pace;     /* NULL: it goes on to its end */
	struct error *stopped; /* why it did not */
	int top;	       /* where folders go that lie too deep; -1: they are an error */
	unsigned hoisted;      /* how many did */
	char where[WHERE_MAX]; /* what it failed at, below the top */
};

/* A tree may be deeper than descriptors last: what lies too deep continues at the top, where it is
 * come across once more. */
static int hoist(struct walk *w, int folder, const char *name)
{
	char moved[32];
	int r;

	if (w->top < 0) {
		errno = ELOOP;
		return -1;
	}
	do {
		snprintf(moved, sizeof(moved), ".hoisted.%u", w->hoisted++);
		r = renameat2(folder, name, w->top, moved, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	return r;
}

/* Puts NAME before where it failed, as the walk unwinds. */
static void remember(struct walk *w, const char *name)
{
	char below[WHERE_MAX];
	int saved = errno;

	memcpy(below, w->where, sizeof(below));
	if (snprintf(w->where, sizeof(w->where), "%s%s%s", name, *below ? "/" : "", below) >=
	    WHERE_MAX)
		snprintf(w->where, sizeof(w->where), "%.200s/…", name);
	for (char *c = w->where; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	errno = saved;
}

static int walk_folder(struct walk *w, int parent, const char *name, int depth);

static int walk_entry(struct walk *w, int folder, const char *name, int depth)
{
	struct statx st;

	if (w->pace && pace_step(w->pace, &w->stopped) < 0)
		return -1;
	if (statx(folder, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
		return -1;
	/* What is mounted here is not the tree's: to empty it would be somebody's data lost. */
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		errno = EXDEV;
		return -1;
	}
	if (S_ISDIR(st.stx_mode)) {
		if (depth == DEPTH_MAX)
			return hoist(w, folder, name);
		if (walk_folder(w, folder, name, depth + 1) < 0)
			return -1;
	}
	return w->visit(folder, name, &st, w->context);
}

static int walk_folder(struct walk *w, int parent, const char *name, int depth)
{
	_cleanup_(tree_close_folder) DIR *d = tree_open_folder(parent, name);
	struct dirent *entry;

	if (!d)
		return -1;
	while ((errno = 0, entry = readdir(d))) {
		if (tree_is_dots(entry->d_name))
			continue;
		if (walk_entry(w, dirfd(d), entry->d_name, depth) < 0) {
			remember(w, entry->d_name);
			return -1;
		}
	}
	return errno ? -1 : 0;
}

static int explain_walk(struct walk *w, const char *what, struct error **err)
{
	if (w->stopped) {
		*err = STEAL_PTR(w->stopped);
		return error_wrap(err, "cannot %s", what);
	}
	if (errno == EXDEV)
		return error_set(err, ERR_BUSY,
				 "cannot %s: something is mounted on /%s in it; unmount that "
				 "first: findmnt shows it, umount removes it",
				 what, w->where);
	return error_errno(err, ERR_SYSTEM, "cannot %s: %s%s", what, *w->where ? "/" : "it",
			   w->where);
}

static int visit_nothing(int folder, const char *name, const struct statx *st, void *context)
{
	(void)folder;
	(void)name;
	(void)st;
	(void)context;
	return 0;
}

int tree_check_mounts(int tree, struct error **err)
{
	struct walk w = { .visit = visit_nothing, .top = -1 };

	if (walk_folder(&w, tree, ".", 0) == 0 || errno == ELOOP)
		return 0;
	return explain_walk(&w, "remove it", err);
}

static int visit_remove(int folder, const char *name, const struct statx *st, void *context)
{
	(void)context;
	return unlinkat(folder, name, S_ISDIR(st->stx_mode) ? AT_REMOVEDIR : 0);
}

int tree_remove(int parent, const char *name, int tree, struct error **err)
{
	struct walk w = { .visit = visit_remove, .top = tree };

	do {
		w.hoisted = 0;
		if (walk_folder(&w, tree, ".", 0) < 0)
			return explain_walk(&w, "remove everything", err);
	} while (w.hoisted);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s", name);
	return 0;
}

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* stx_ctime: nothing but the kernel's own clock sets it. */
static uint64_t hash_entry(const char *name, const struct statx *st)
{
	const uint64_t facts[] = { st->stx_ino, (uint64_t)st->stx_ctime.tv_sec,
				   st->stx_ctime.tv_nsec, st->stx_size };
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = hash_byte(hash, (unsigned char)*name);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		for (unsigned int shift = 0; shift < 64; shift += 8)
			hash = hash_byte(hash, (unsigned char)(facts[i] >> shift));
	return hash;
}

/* Whether the owner that is shown as LAST_OWN is an id outside the range: over what such an id owns
 * we have no capabilities, and the kernel wants one for O_NOATIME (inode_owner_or_capable), if not
 * for the mode. Other kinds of files cannot be asked without leaving a trace in them. */
static bool is_unmapped(int folder, const char *name, const struct statx *st)
{
	int type = S_ISDIR(st->stx_mode) ? O_DIRECTORY : 0;
	_cleanup_close_ int fd = -1;

	if (!S_ISREG(st->stx_mode) && !S_ISDIR(st->stx_mode))
		return false;
	fd = tree_open_own(folder, name, O_RDONLY | O_NONBLOCK | O_NOATIME | type);
	return fd < 0 && (errno == EPERM || errno == EACCES);
}

static bool is_foreign(int folder, const char *name, const struct statx *st)
{
	if (st->stx_uid > LAST_OWN || st->stx_gid > LAST_OWN)
		return true;
	return (st->stx_uid == LAST_OWN || st->stx_gid == LAST_OWN) &&
	       is_unmapped(folder, name, st);
}

/* Inodes with several names that were counted: an open hash, at most half full. 0 is no inode. */
struct seen {
	uint64_t *slot;
	size_t size, used; /* SIZE: a power of 2 */
};

static void seen_clear(struct seen *s)
{
	free(s->slot);
}

static uint64_t *seen_find(const struct seen *s, uint64_t inode)
{
	size_t at = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (s->size - 1);

	while (s->slot[at] && s->slot[at] != inode)
		at = (at + 1) & (s->size - 1);
	return &s->slot[at];
}

static bool seen_grow(struct seen *s)
{
	struct seen larger = { .size = s->size ? 2 * s->size : 4096, .used = s->used };

	if (s->used == SEEN_MAX || !(larger.slot = calloc(larger.size, sizeof(*larger.slot))))
		return false;
	for (size_t i = 0; i < s->size; i++)
		if (s->slot[i])
			*seen_find(&larger, s->slot[i]) = s->slot[i];
	free(s->slot);
	*s = larger;
	return true;
}

/* Returns whether INODE was there before. One for which there is no room was not. */
static bool seen_before(struct seen *s, uint64_t inode)
{
	uint64_t *slot;

	if (2 * (s->used + 1) > s->size && !seen_grow(s))
		return false;
	slot = seen_find(s, inode);
	if (*slot)
		return true;
	*slot = inode;
	s->used++;
	return false;
}

struct count {
	struct tree_census *census;
	struct seen seen;
};

static int visit_count(int folder, const char *name, const struct statx *st, void *context)
{
	struct count *count = context;
	struct tree_census *census = count->census;
	uint64_t allocated = st->stx_blocks * 512, whole = (st->stx_size + 4095) / 4096 * 4096;

	census->fingerprint += hash_entry(name, st);
	census->files++;
	if (is_foreign(folder, name, st))
		census->foreign++;
	/* Other names may be in other trees, which share the file with this one. */
	if (!S_ISDIR(st->stx_mode) && st->stx_nlink > 1 && seen_before(&count->seen, st->stx_ino))
		return 0;
	census->bytes += allocated;
	census->content += S_ISREG(st->stx_mode) && whole > allocated ? whole : allocated;
	return 0;
}

int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err)
{
	struct pace pace = { .server = s, .began = serve_now(), .limit = COUNT_SECONDS };
	struct count count = { .census = census };
	struct walk w = { .visit = visit_count, .context = &count, .pace = &pace, .top = -1 };
	struct statx st;
	int r = 0;

	*census = (struct tree_census){ 0 };
	if (statx(tree, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0 ||
	    visit_count(tree, ".", &st, &count) < 0 || walk_folder(&w, tree, ".", 0) < 0)
		r = explain_walk(&w, "look through the rootfs", err);
	seen_clear(&count.seen);
	return r;
}

bool tree_disk_full(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 &&
	       ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < ROOM_LEAST ||
		(fs.f_files && fs.f_ffree < FILES_LEAST));
}

int tree_each_attribute(int fd,
			int (*visit)(void *context, const char *name, const void *value,
				     size_t size),
			void *context)
{
	static char names[NAMES_MAX], value[VALUE_MAX];
	ssize_t length = flistxattr(fd, names, sizeof(names)), size;

	if (length < 0)
		return errno == ENOTSUP ? 0 : -1;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		size = fgetxattr(fd, name, value, sizeof(value));
		if (size < 0 || visit(context, name, value, (size_t)size) < 0)
			return -1;
	}
	return 0;
}
