#include "frontend/rootfs/publication_prune.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/rootfs/publication_names.h"
#include "frontend/rootfs/published.h"
#include "lib/hex_read.h"
#include "lib/read_all.h"

#define INDEX_MAX (64 << 20)
#define HEX_SIZE (2 * SHA256_LEN)
#define PIECE_SUFFIX ".deb"
#define FILENAME "\nFilename: pool/"
#define BY_HASH "by-hash/SHA256"

/* Sums that are still needed. */
struct hash_list {
	uint8_t (*list)[SHA256_LEN];
	size_t count;
};

struct pruning {
	const char *name;
	unsigned oldest; /* that stays */
	struct hash_list pieces, files;
	struct pruned *out;
	int dists;
};

/* Called for each entry of a directory, which is open as AT. Returns -1 with errno set. */
typedef int entry_fn(struct pruning *p, int at, const char *entry);

/* A missing directory has no entries. */
static int each_entry(struct pruning *p, int at, const char *path, entry_fn *fn)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		closep(&fd);
		return errno == ENOENT ? 0 : -1;
	}
	while (r == 0 && (entry = readdir(d)))
		if (*entry->d_name != '.')
			r = fn(p, dirfd(d), entry->d_name);
	closedir(d);
	return r;
}

static int hash_add_hex(struct hash_list *l, const char *hex, size_t length)
{
	uint8_t(*more)[SHA256_LEN], sum[SHA256_LEN];

	if (!sha256_from_hex(hex, length, sum))
		return 0;
	more = array_grow(&l->list, l->count, sizeof(*l->list));
	if (!more)
		return -1;
	memcpy(*more, sum, sizeof(sum));
	l->count++;
	return 0;
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_LEN);
}

/* Whether the file named after a hash, HEX, can go. What has another name is not ours. */
static bool is_unneeded(const struct hash_list *l, const char *hex, size_t length)
{
	uint8_t sum[SHA256_LEN];

	return sha256_from_hex(hex, length, sum) &&
	       (!l->count || !bsearch(sum, l->list, l->count, sizeof(sum), compare_hashes));
}

/* Its index goes first: nothing may be listed that is missing. */
static int remove_old(struct pruning *p, int at, const char *entry)
{
	unsigned number = publication_generation(at, p->name, entry);
	_cleanup_free_ char *index = NULL;

	if (!number || number >= p->oldest)
		return 0;
	if (asprintf(&index, "%s/InRelease", entry) < 0)
		return -1;
	if ((unlinkat(at, index, 0) < 0 && errno != ENOENT) || dir_remove(at, entry) < 0)
		return -1;
	p->out->generations++;
	return 0;
}

/* --- what is still needed --- */

static int note_pieces(struct pruning *p, int at, const char *arch)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;

	if (asprintf(&path, "%s/Packages", arch) < 0)
		return -1;
	fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	text = read_all(fd, INDEX_MAX, &size);
	if (!text)
		return -1;
	for (const char *at_line = text; (at_line = strstr(at_line, FILENAME));) {
		at_line += strlen(FILENAME);
		if (hash_add_hex(&p->pieces, at_line, strnlen(at_line, HEX_SIZE)) < 0)
			return -1;
	}
	return 0;
}

static int note_file(struct pruning *p, int at, const char *entry)
{
	(void)at;
	return hash_add_hex(&p->files, entry, strlen(entry));
}

static int note_indexes(struct pruning *p, int at, const char *arch)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/" BY_HASH, arch) < 0 ? -1 : each_entry(p, at, path, note_file);
}

/* Of the newest generation, "NAME" and "NAME.N" list the same. */
static int note_suite(struct pruning *p, int at, const char *suite)
{
	_cleanup_free_ char *component = NULL, *files = NULL;

	if (asprintf(&component, "%s/" PUBLISHED_COMPONENT, suite) < 0 ||
	    asprintf(&files, "%s/" BY_HASH, suite) < 0 ||
	    each_entry(p, at, component, note_pieces) < 0)
		return -1;
	if (!publication_generation(at, p->name, suite))
		return 0;
	return each_entry(p, at, files, note_file) < 0 ? -1
						       : each_entry(p, at, component, note_indexes);
}

static void sort_hashes(struct hash_list *l)
{
	if (l->count)
		qsort(l->list, l->count, sizeof(*l->list), compare_hashes);
}

/* --- what is not --- */

static int remove_file(struct pruning *p, int at, const char *entry)
{
	return is_unneeded(&p->files, entry, strlen(entry)) ? unlinkat(at, entry, 0) : 0;
}

static int remove_indexes(struct pruning *p, int at, const char *arch)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/" BY_HASH, arch) < 0 ? -1 : each_entry(p, at, path, remove_file);
}

static int remove_files(struct pruning *p)
{
	_cleanup_free_ char *component = NULL, *files = NULL;

	if (asprintf(&component, "%s/" PUBLISHED_COMPONENT, p->name) < 0 ||
	    asprintf(&files, "%s/" BY_HASH, p->name) < 0)
		return -1;
	return each_entry(p, p->dists, files, remove_file) < 0
		       ? -1
		       : each_entry(p, p->dists, component, remove_indexes);
}

static int remove_piece(struct pruning *p, int at, const char *entry)
{
	size_t length = strlen(entry), suffix = strlen(PIECE_SUFFIX);

	if (length <= suffix || strcmp(entry + length - suffix, PIECE_SUFFIX) != 0 ||
	    !is_unneeded(&p->pieces, entry, length - suffix))
		return 0;
	if (unlinkat(at, entry, 0) < 0)
		return -1;
	p->out->pieces++;
	return 0;
}

static int prune_all(struct pruning *p, int root)
{
	if (p->dists < 0 || each_entry(p, p->dists, ".", remove_old) < 0 ||
	    each_entry(p, p->dists, ".", note_suite) < 0)
		return -1;
	sort_hashes(&p->pieces);
	sort_hashes(&p->files);
	return remove_files(p) < 0 ? -1 : each_entry(p, root, "pool", remove_piece);
}

int publication_prune(int root, const char *name, unsigned newest, unsigned keep,
		      struct pruned *out, struct error **err)
{
	_cleanup_close_ int dists = openat(root, "dists", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct pruning p = {
		.name = name,
		.oldest = newest > keep ? newest - keep + 1 : 1,
		.out = out,
		.dists = dists,
	};
	int r;

	*out = (struct pruned){ 0 };
	r = prune_all(&p, root);
	free(p.pieces.list);
	free(p.files.list);
	return r < 0 ? error_errno(err, ERR_SYSTEM,
				   "published generation %u of %s, but cannot remove older ones",
				   newest, name)
		     : 0;
}
