#include "frontend/archive/index_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include "frontend/archive/archive_reader.h"

#define BLOCK_SIZE (256 * 1024)

static int take_data(struct archive *archive, const char *what, index_take *take, void *context,
		     struct error **err)
{
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	la_ssize_t n = 0;

	while (block && (n = archive_read_data(archive, block, BLOCK_SIZE)) > 0)
		if (take(block, (size_t)n, context, err) < 0)
			return -1;
	if (!block)
		return error_no_memory(err);
	if (n < 0)
		return error_set(err, ERR_TRUST, "cannot unpack %s: %s", what,
				 archive_error_string(archive));
	return 0;
}

int index_read(const char *path, const char *what, index_take *take, void *context,
	       struct error **err)
{
	_cleanup_archive_ struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	int result;

	if (!archive)
		return error_no_memory(err);
	/* Otherwise libarchive was built without them and would run a program. */
	if (archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) != ARCHIVE_OK)
		return error_set(err, ERR_HOST, "cannot unpack %s: libarchive lacks xz or gzip",
				 what);
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	if (archive_read_open_filename(archive, path, BLOCK_SIZE) != ARCHIVE_OK)
		return error_set(err, ERR_SYSTEM, "cannot unpack %s: %s", what,
				 archive_error_string(archive));
	result = archive_read_next_header(archive, &entry);
	if (result == ARCHIVE_EOF)
		return 0;
	if (result != ARCHIVE_OK)
		return error_set(err, ERR_TRUST, "cannot unpack %s: %s", what,
				 archive_error_string(archive));
	return take_data(archive, what, take, context, err);
}
