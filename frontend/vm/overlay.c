#include "frontend/vm/overlay.h"

#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include <nettle/sha2.h>

#include "frontend/rootfs/image_cache.h"

/* Each part has its length first, so that no two trees give the same bytes. */
static void overlay_add(struct sha256_ctx *hash, const void *data, uint64_t size)
{
	sha256_update(hash, sizeof(size), (const uint8_t *)&size);
	sha256_update(hash, (size_t)size, data);
}

static int overlay_add_data(struct sha256_ctx *hash, const FTSENT *entry, struct error **err)
{
	_cleanup_close_ int fd = open(entry->fts_accpath, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t left = (uint64_t)entry->fts_statp->st_size;
	uint8_t data[1 << 14];
	ssize_t n = 0;

	sha256_update(hash, sizeof(left), (const uint8_t *)&left);
	while (fd >= 0 && (n = RETRY_ON_EINTR(read(fd, data, sizeof(data)))) > 0)
		sha256_update(hash, (size_t)n, data);
	return fd < 0 || n < 0 ? error_errno(err, ERR_INPUT, "cannot read %s", entry->fts_path) : 0;
}

static int overlay_add_target(struct sha256_ctx *hash, const FTSENT *entry, struct error **err)
{
	char target[PATH_MAX];
	ssize_t length = readlink(entry->fts_accpath, target, sizeof(target));

	if (length < 0)
		return error_errno(err, ERR_INPUT, "cannot read the link %s", entry->fts_path);
	overlay_add(hash, target, (uint64_t)length);
	return 0;
}

/* The image leaves .git out, and so does the hash. */
static bool is_repository(const FTSENT *entry)
{
	return entry->fts_level == 1 && strcmp(entry->fts_name, ".git") == 0;
}

static int overlay_add_entry(struct sha256_ctx *hash, const FTSENT *entry, size_t skip,
			     struct error **err)
{
	const uint32_t mode = entry->fts_statp->st_mode;

	overlay_add(hash, entry->fts_path + skip, entry->fts_pathlen - skip);
	overlay_add(hash, &mode, sizeof(mode));
	switch (entry->fts_info) {
	case FTS_D:
		return 0;
	case FTS_F:
		return overlay_add_data(hash, entry, err);
	case FTS_SL:
	case FTS_SLNONE:
		return overlay_add_target(hash, entry, err);
	case FTS_DNR:
	case FTS_NS:
	case FTS_ERR:
		errno = entry->fts_errno;
		return error_errno(err, ERR_INPUT, "cannot read %s", entry->fts_path);
	default:
		return error_set(err, ERR_INPUT,
				 "%s is neither a file nor a directory nor a symbolic link",
				 entry->fts_path);
	}
}

static int overlay_by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int overlay_hash(struct overlay *o, struct error **err)
{
	FTS *tree =
		fts_open((char *[]){ o->path, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, overlay_by_name);
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;
	FTSENT *entry;
	int r = 0;

	if (!tree)
		return error_errno(err, ERR_INPUT, "cannot read %s", o->path);
	sha256_init(&hash);
	while (r == 0 && (errno = 0, entry = fts_read(tree)))
		if (is_repository(entry))
			fts_set(tree, entry, FTS_SKIP);
		else if (entry->fts_info != FTS_DP && entry->fts_level > 0)
			r = overlay_add_entry(&hash, entry, strlen(o->path), err);
	if (r == 0 && errno)
		r = error_errno(err, ERR_INPUT, "cannot read %s", o->path);
	fts_close(tree);
	sha256_digest(&hash, sizeof(sum), sum);
	sha256_to_hex(sum, o->sha256);
	return r;
}

int overlay_open(const char *given, struct overlay *o, struct error **err)
{
	*o = (struct overlay){ .path = realpath(given, NULL) };
	return o->path ? overlay_hash(o, err) : error_errno(err, ERR_INPUT, "--overlay %s", given);
}

int overlay_build(struct overlay *o, const char *format, struct error **err)
{
	return image_of_dir(o->path, format, &o->image, err);
}

void overlay_clear(struct overlay *o)
{
	free(o->path);
	free(o->image);
	*o = (struct overlay){ 0 };
}
