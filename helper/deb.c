#include "helper/deb.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/write_all.h"

static int short_read(struct deb *d)
{
	if (d->error)
		return -1;
	return error_set(&d->error, ERR_TRUST, "it became shorter while it was read");
}

/* The next block: read, hashed, and copied. Returns its length, 0 at the end, -1 with d->error set.
 */
static ssize_t next_block(struct deb *d)
{
	uint64_t left = d->size - d->at;
	size_t want = left < sizeof(d->block) ? (size_t)left : sizeof(d->block);
	ssize_t n = want ? RETRY_ON_EINTR(pread(d->fd, d->block, want, (off_t)d->at)) : 0;

	if (n < 0)
		return error_errno(&d->error, ERR_SYSTEM, "cannot read it");
	if (n == 0 && want)
		return short_read(d);
	sha256_update(&d->hash, (size_t)n, d->block);
	d->at += (uint64_t)n;
	if (d->copy >= 0 && write_all(d->copy, d->block, (size_t)n) < 0)
		return error_errno(&d->error, ERR_SYSTEM, "cannot keep a copy of it");
	return n;
}

static la_ssize_t read_file(struct archive *ar, void *context, const void **data)
{
	struct deb *d = context;
	ssize_t n = next_block(d);

	if (n < 0)
		archive_set_error(ar, EIO, "%s", "unreadable");
	*data = d->block;
	return n;
}

static la_ssize_t read_member(struct archive *ar, void *context, const void **data)
{
	struct deb *d = context;
	la_ssize_t n = archive_read_data(d->outer, d->member, sizeof(d->member));

	if (n < 0)
		archive_set_error(ar, EIO, "%s", archive_error_string(d->outer));
	*data = d->member;
	return n;
}

/* What went wrong below libarchive comes first: it says more. */
static int complain(struct deb *d, struct archive *ar, struct error **err)
{
	const char *why = ar ? archive_error_string(ar) : NULL;

	if (d->error)
		return error_set(err, d->error->code, "package %s: %s", d->name, d->error->message);
	return error_set(err, ERR_PACKAGE, "package %s: malformed archive: %s", d->name,
			 why ? why : "unknown format");
}

static const char *next_member(struct deb *d, struct error **err)
{
	struct archive_entry *entry;
	const char *name = NULL;

	if (archive_read_next_header(d->outer, &entry) != ARCHIVE_OK)
		complain(d, d->outer, err);
	else if (!(name = archive_entry_pathname(entry)))
		complain(d, NULL, err);
	return name;
}

static int check_version(struct deb *d, struct error **err)
{
	const char *name = next_member(d, err);
	char version[2];

	if (!name)
		return -1;
	if (strcmp(name, "debian-binary") != 0 ||
	    archive_read_data(d->outer, version, sizeof(version)) != sizeof(version) ||
	    memcmp(version, "2.", sizeof(version)) != 0)
		return error_set(err, ERR_PACKAGE, "package %s: it is no .deb of format 2",
				 d->name);
	return 0;
}

int deb_open(struct deb *d, const char *name, int fd, struct error **err)
{
	struct stat st;

	d->name = name;
	d->fd = fd;
	d->copy = -1;
	d->at = 0;
	d->tar = NULL;
	d->error = NULL;
	sha256_init(&d->hash);
	d->outer = fstat(fd, &st) < 0 ? NULL : archive_read_new();
	if (!d->outer)
		return error_errno(err, ERR_SYSTEM, "package %s: cannot read it", name);
	d->size = (uint64_t)st.st_size;
	archive_read_support_format_ar(d->outer);
	if (archive_read_open(d->outer, d, NULL, read_file, NULL) != ARCHIVE_OK)
		return complain(d, d->outer, err);
	return check_version(d, err);
}

/* Only what is compiled in: libarchive would start a program for the other kinds. */
static bool support(struct archive *tar, const char *suffix)
{
	if (strcmp(suffix, "") == 0)
		return true;
	if (strcmp(suffix, ".xz") == 0)
		return archive_read_support_filter_xz(tar) == ARCHIVE_OK;
	if (strcmp(suffix, ".gz") == 0)
		return archive_read_support_filter_gzip(tar) == ARCHIVE_OK;
	if (strcmp(suffix, ".zst") == 0)
		return archive_read_support_filter_zstd(tar) == ARCHIVE_OK;
	return false;
}

int deb_member(struct deb *d, const char *member, struct error **err)
{
	size_t length = strlen(member);
	const char *name;

	archive_read_free(d->tar);
	d->tar = NULL;
	/* deb(5): members that begin with "_" are to be passed over. */
	do
		name = next_member(d, err);
	while (name && name[0] == '_');
	if (!name)
		return -1;
	d->tar = archive_read_new();
	if (!d->tar)
		return error_set(err, ERR_SPACE, "out of memory");
	if (strncmp(name, member, length) != 0 || !support(d->tar, name + length))
		return error_set(err, ERR_PACKAGE,
				 "package %s: malformed archive: \"%.32s\" where %s should be",
				 d->name, name, member);
	archive_read_support_format_tar(d->tar);
	archive_read_support_format_empty(d->tar);
	if (archive_read_open(d->tar, d, NULL, read_member, NULL) != ARCHIVE_OK)
		return complain(d, d->tar, err);
	return 0;
}

int deb_entry(struct deb *d, struct archive_entry **entry, struct error **err)
{
	int r = archive_read_next_header(d->tar, entry);

	if (r == ARCHIVE_OK)
		return 1;
	return r == ARCHIVE_EOF ? 0 : complain(d, d->tar, err);
}

int deb_finish(struct deb *d, const uint8_t want[static SHA256_LEN], struct error **err)
{
	uint8_t have[SHA256_LEN];
	ssize_t n;

	while ((n = next_block(d)) > 0)
		;
	if (n < 0)
		return complain(d, NULL, err);
	hash_end(&d->hash, have);
	if (memcmp(have, want, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "package %s: hash differs from the signed index",
				 d->name);
	return 0;
}

int deb_keep(struct deb *d, int copy, const uint8_t want[static SHA256_LEN], struct error **err)
{
	d->copy = copy;
	d->at = 0;
	sha256_init(&d->hash);
	return deb_finish(d, want, err);
}

void deb_close(struct deb *d)
{
	archive_read_free(d->tar);
	archive_read_free(d->outer);
	error_free(&d->error);
}
