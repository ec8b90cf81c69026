#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "helper/worker/tree/count.h"
#include "helper/worker/tree/walk.h"

/* The range's last id, which is nobody's. The kernel also shows unmapped ids as this one. */
#define LAST_OWN (RANGE_COUNT - 1)
#define SEEN_MAX ((size_t)1 << 22) /* inodes: 64 MiB; beyond them, each name counts as a file */

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* stx_ctime: only the kernel's own clock sets it. */
static uint64_t count_hash_entry(const char *name, const struct statx *st)
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

/* Whether the owner shown as LAST_OWN is an id outside the range. We have no capabilities over
 * files of such an id, and the kernel requires one for O_NOATIME (inode_owner_or_capable), if not
 * for the mode already. Other kinds of files cannot be checked without leaving a trace in them. */
static bool is_unmapped(int dir, const char *name, const struct statx *st)
{
	int type = S_ISDIR(st->stx_mode) ? O_DIRECTORY : 0;
	_cleanup_close_ int fd = -1;

	if (!S_ISREG(st->stx_mode) && !S_ISDIR(st->stx_mode))
		return false;
	fd = tree_open_own(dir, name, O_RDONLY | O_NONBLOCK | O_NOATIME | type);
	return fd < 0 && (errno == EPERM || errno == EACCES);
}

static bool is_foreign(int dir, const char *name, const struct statx *st)
{
	if (st->stx_uid > LAST_OWN || st->stx_gid > LAST_OWN)
		return true;
	return (st->stx_uid == LAST_OWN || st->stx_gid == LAST_OWN) && is_unmapped(dir, name, st);
}

/* The inodes with several names that were counted: an open-addressing hash table, at most half
 * full. 0 is not an inode. */
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

/* Returns whether INODE was there before. If there is no room for it, it was not. */
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

static int visit_count(struct walk *w, int dir, const char *name, const struct statx *st)
{
	struct count *count = w->context;
	struct tree_census *census = count->census;
	uint64_t allocated = st->stx_blocks * 512, whole = (st->stx_size + 4095) / 4096 * 4096;

	census->fingerprint += count_hash_entry(name, st);
	census->files++;
	if (is_foreign(dir, name, st))
		census->foreign++;
	/* The other names may be in other trees, which share the file with this one. */
	if (!S_ISDIR(st->stx_mode) && st->stx_nlink > 1 && seen_before(&count->seen, st->stx_ino))
		return 0;
	census->bytes += allocated;
	census->content += S_ISREG(st->stx_mode) ? whole : 0;
	return 0;
}

int count_tree(int tree, struct tree_census *census, struct error **err)
{
	struct count count = { .census = census };
	struct walk w = { .visit = visit_count, .context = &count, .top = -1 };
	struct statx st;
	int r = 0;

	*census = (struct tree_census){ 0 };
	if (statx(tree, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0 ||
	    visit_count(&w, tree, ".", &st) < 0 || walk(&w, tree) < 0)
		r = walk_explain(&w, "read the rootfs", err);
	seen_clear(&count.seen);
	return r;
}
