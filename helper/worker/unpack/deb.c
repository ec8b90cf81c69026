#include "helper/worker/unpack/deb.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static la_ssize_t deb_read_file(struct archive *ar, void *context, const void **data)
{
	struct deb *d = context;
	ssize_t n = RETRY_ON_EINTR(read(d->fd, d->block, sizeof(d->block)));

	if (n < 0)
		archive_set_error(ar, errno, "%s", strerror(errno));
	*data = d->block;
	return n;
}

static la_ssize_t deb_read_member(struct archive *ar, void *context, const void **data)
{
	struct deb *d = context;
	la_ssize_t n = archive_read_data(d->outer, d->member, sizeof(d->member));

	if (n < 0)
		archive_set_error(ar, EIO, "%s", archive_error_string(d->outer));
	*data = d->member;
	return n;
}

static int deb_complain(struct deb *d, struct archive *ar, struct error **err)
{
	const char *why = ar ? archive_error_string(ar) : NULL;

	return error_set(err, ERR_PACKAGE, "package %s: malformed archive: %s", d->name,
			 why ? why : "unknown format");
}

static const char *next_member(struct deb *d, struct error **err)
{
	struct archive_entry *entry;
	const char *name = NULL;

	if (archive_read_next_header(d->outer, &entry) != ARCHIVE_OK)
		deb_complain(d, d->outer, err);
	else if (!(name = archive_entry_pathname(entry)))
		deb_complain(d, NULL, err);
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
		return error_set(err, ERR_PACKAGE, "package %s: it is not a .deb of format 2",
				 d->name);
	return 0;
}

int deb_open(struct deb *d, const char *name, int fd, struct error **err)
{
	d->name = name;
	d->fd = fd;
	d->tar = NULL;
	d->outer = archive_read_new();
	if (!d->outer)
		return error_no_memory(err);
	archive_read_support_format_ar(d->outer);
	if (archive_read_open(d->outer, d, NULL, deb_read_file, NULL) != ARCHIVE_OK)
		return deb_complain(d, d->outer, err);
	return check_version(d, err);
}

/* Only what is compiled in: for other kinds, libarchive would start a program. */
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
	/* deb(5): members whose names begin with "_" must be skipped. */
	do
		name = next_member(d, err);
	while (name && name[0] == '_');
	if (!name)
		return -1;
	d->tar = archive_read_new();
	if (!d->tar)
		return error_no_memory(err);
	if (strncmp(name, member, length) != 0 || !support(d->tar, name + length))
		return error_set(err, ERR_PACKAGE,
				 "package %s: malformed archive: \"%.32s\" where %s should be",
				 d->name, name, member);
	archive_read_support_format_tar(d->tar);
	archive_read_support_format_empty(d->tar);
	if (archive_read_open(d->tar, d, NULL, deb_read_member, NULL) != ARCHIVE_OK)
		return deb_complain(d, d->tar, err);
	return 0;
}

int deb_entry(struct deb *d, struct archive_entry **entry, struct error **err)
{
	int r = archive_read_next_header(d->tar, entry);

	if (r == ARCHIVE_OK)
		return 1;
	return r == ARCHIVE_EOF ? 0 : deb_complain(d, d->tar, err);
}

void deb_close(struct deb *d)
{
	archive_read_free(d->tar);
	archive_read_free(d->outer);
}
