#include "frontend/archive/deb_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/archive_reader.h"
#include "frontend/archive/decompress.h"
#include "frontend/cli/text.h"
#include "lib/error_wrap.h"

/* The inner archive (data.tar) reads its data from the outer one (ar). */
struct member {
	struct archive *outer;
	char buffer[65536];
};

static ssize_t deb_files_read_member(struct archive *inner, void *context, const void **data)
{
	struct member *m = context;
	la_ssize_t size = archive_read_data(m->outer, m->buffer, sizeof(m->buffer));

	if (size < 0)
		archive_set_error(inner, EIO, "%s", archive_error_string(m->outer));
	*data = m->buffer;
	return size;
}

int deb_files_folder(int folder, const char *relative, const char **name, struct error **err)
{
	_cleanup_close_ int below = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	const char *slash;

	for (; (slash = strchr(relative, '/')); relative = slash + 1) {
		char component[256];
		int next;

		if (slash == relative)
			continue;
		if ((size_t)(slash - relative) >= sizeof(component))
			return error_set(err, ERR_INPUT, "a path in a package is too long");
		memcpy(component, relative, (size_t)(slash - relative));
		component[slash - relative] = '\0';
		if (strcmp(component, "..") == 0)
			return error_set(err, ERR_INPUT, "a path in a package contains \"..\"");
		if (mkdirat(below, component, 0755) < 0 && errno != EEXIST)
			return error_errno(err, ERR_SYSTEM, "cannot create %s", component);
		next = openat(below, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		closep(&below);
		below = next;
		if (below < 0)
			return error_errno(err, ERR_SYSTEM, "cannot open %s", component);
	}
	if (!*relative || strcmp(relative, "..") == 0 || strcmp(relative, ".") == 0)
		return error_set(err, ERR_INPUT, "a path in a package has no file name");
	*name = relative;
	return steal_fd(&below);
}

static int write_entry(struct archive *data, int folder, const char *path, struct error **err)
{
	_cleanup_close_ int below = -1;
	_cleanup_close_ int fd = -1;
	const char *name;

	below = deb_files_folder(folder, path, &name, err);
	if (below < 0)
		return -1;
	fd = openat(below, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	if (archive_read_data_into_fd(data, fd) != ARCHIVE_OK)
		return error_set(err, archive_errno(data) == ENOSPC ? ERR_SPACE : ERR_INPUT,
				 "cannot unpack %s: %s", path, archive_error_string(data));
	return 0;
}

static int deb_files_unpack_data(struct archive *data, int folder, char *(*place)(const char *path),
				 struct error **err)
{
	struct archive_entry *entry;
	int status;

	while ((status = archive_read_next_header(data, &entry)) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);
		_cleanup_free_ char *target = NULL;

		if (!path || archive_entry_filetype(entry) != AE_IFREG ||
		    archive_entry_hardlink(entry))
			continue;
		while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
			path++;
		target = place(path);
		if (target && write_entry(data, folder, target, err) < 0)
			return -1;
	}
	if (status != ARCHIVE_EOF)
		return error_set(err, ERR_INPUT, "%s", archive_error_string(data));
	return 0;
}

static int open_data(struct archive *outer, struct error **err)
{
	struct archive_entry *entry;

	while (archive_read_next_header(outer, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name && text_has_prefix(name, "data.tar"))
			return 0;
	}
	return error_set(err, ERR_INPUT, "it has no data.tar");
}

int deb_files_unpack(const char *deb, int folder, char *(*place)(const char *path),
		     struct error **err)
{
	_cleanup_archive_ struct archive *outer = archive_read_new();
	_cleanup_archive_ struct archive *data = archive_read_new();
	_cleanup_free_ struct member *member = calloc(1, sizeof(*member));

	if (!outer || !data || !member)
		return error_errno(err, ERR_SYSTEM, "cannot unpack %s", deb);
	member->outer = outer;
	archive_read_support_format_ar(outer);
	archive_read_support_format_tar(data);
	if (!decompress_support(data))
		return error_set(err, ERR_HOST, "cannot unpack %s: %s", deb,
				 archive_error_string(data));
	if (archive_read_open_filename(outer, deb, 65536) != ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "cannot unpack %s: %s", deb,
				 archive_error_string(outer));
	if (open_data(outer, err) < 0)
		return error_wrap(err, "cannot unpack %s", deb);
	if (archive_read_open(data, member, NULL, deb_files_read_member, NULL) != ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "cannot unpack %s: %s", deb,
				 archive_error_string(data));
	if (deb_files_unpack_data(data, folder, place, err) < 0)
		return error_wrap(err, "cannot unpack %s", deb);
	return 0;
}
