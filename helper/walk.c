#include "helper/walk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/idmap.h"
#include "helper/serve.h"

/* Folders in folders: each that is open takes a descriptor, of which there are 4096 at most. */
#define DEPTH_MAX 1000
/* The range's last id, nobody's. The kernel shows an id that is not mapped as this one, too. */
#define LAST_OWN (RANGE_COUNT - 1)
#define WHERE_MAX 512
#define SEEN_MAX ((size_t)1 << 22) /* inodes: 64 MiB; beyond them, each name counts as a file */

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
	struct pace pace = { .server = s };
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
