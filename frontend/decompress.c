#include "frontend/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

static void archive_closep(struct archive **a)
{
	archive_read_free(*a);
}

bool decompress_support(struct archive *a)
{
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
		archive_read_support_filter_lzma, archive_read_support_filter_xz,
		archive_read_support_filter_lz4,  archive_read_support_filter_zstd,
	};

	/* ARCHIVE_WARN: the library was built without this one and would start a program. */
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (filters[i](a) != ARCHIVE_OK) {
			archive_set_error(a, ENOSYS,
					  "libarchive was built without one of gzip, "
					  "bzip2, lzma, xz, lz4 and zstd");
			return false;
		}
	return true;
}

static int open_raw(struct archive *a, int fd, struct error **err)
{
	struct archive_entry *entry;

	if (!a)
		return error_set(err, ERR_SPACE, "out of memory");
	if (!decompress_support(a) || archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(a) != ARCHIVE_OK ||
	    archive_read_open_fd(a, fd, 65536) != ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
	switch (archive_read_next_header(a, &entry)) {
	case ARCHIVE_OK:
		return 1;
	case ARCHIVE_EOF:
		return 0;
	default:
		return error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
	}
}

char *decompress(int fd, size_t most, size_t *size, struct error **err)
{
	_cleanup_(archive_closep) struct archive *a = archive_read_new();
	_cleanup_free_ char *data = NULL;
	size_t room = 0, used = 0;
	int more = open_raw(a, fd, err);

	if (more < 0)
		return NULL;
	while (used < most) {
		ssize_t n;

		if (used == room) {
			size_t wanted = room ? 2 * room : (size_t)1 << 20;
			char *larger;

			if (wanted > most)
				wanted = most;
			larger = realloc(data, wanted + 1);
			if (!larger) {
				error_set(err, ERR_SPACE, "out of memory");
				return NULL;
			}
			data = larger;
			room = wanted;
		}
		n = more ? archive_read_data(a, data + used, room - used) : 0;
		/* Rubbish after the data, such as a kernel's padding, is no fault of the data. */
		if (n < 0 && used == 0) {
			error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
			return NULL;
		}
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (!data && !(data = malloc(1))) {
		error_set(err, ERR_SPACE, "out of memory");
		return NULL;
	}
	data[used] = '\0';
	*size = used;
	return STEAL_PTR(data);
}
