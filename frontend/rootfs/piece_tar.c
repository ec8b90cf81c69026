#include "frontend/rootfs/piece_tar.h"

#include <string.h>

#include "frontend/cli/text.h"

#define BLOCK ((size_t)1 << 20)

int piece_tar_malformed(struct archive *tar, struct error **err)
{
	const char *why = archive_error_string(tar);

	return error_set(err, ERR_INPUT, "cannot read the archive of the tree: %s",
			 why ? why : "it ends early");
}

struct archive *piece_tar_open(int fd, struct error **err)
{
	_cleanup_archive_ struct archive *tar = archive_read_new();

	if (!tar) {
		error_no_memory(err);
		return NULL;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
	    archive_read_open_fd(tar, fd, BLOCK) != ARCHIVE_OK) {
		piece_tar_malformed(tar, err);
		return NULL;
	}
	return STEAL_PTR(tar);
}

int piece_tar_next(struct archive *tar, struct archive_entry **entry, struct error **err)
{
	int r = archive_read_next_header(tar, entry);

	if (r == ARCHIVE_OK)
		return 1;
	return r == ARCHIVE_EOF ? 0 : piece_tar_malformed(tar, err);
}

const char *piece_tar_path(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);

	if (path && text_has_prefix(path, "./"))
		path += 2;
	return path && strcmp(path, ".") == 0 ? "" : path;
}
