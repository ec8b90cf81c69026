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

#define CONTROL_MOST (1 << 20)

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

int deb_files_dir(int dir, const char *relative, const char **name, struct error **err)
{
	_cleanup_close_ int below = fcntl(dir, F_DUPFD_CLOEXEC, 3);
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

static int write_entry(struct archive *data, int dir, const char *path, struct error **err)
{
	_cleanup_close_ int below = -1;
	_cleanup_close_ int fd = -1;
	const char *name;

	below = deb_files_dir(dir, path, &name, err);
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

static int deb_files_unpack_data(struct archive *data, int dir, char *(*place)(const char *path),
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
		if (target && write_entry(data, dir, target, err) < 0)
			return -1;
	}
	if (status != ARCHIVE_EOF)
		return error_set(err, ERR_INPUT, "%s", archive_error_string(data));
	return 0;
}

static int find_member(struct archive *outer, const char *prefix, struct error **err)
{
	struct archive_entry *entry;

	while (archive_read_next_header(outer, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name && text_has_prefix(name, prefix))
			return 0;
	}
	return error_set(err, ERR_INPUT, "it has no %s", prefix);
}

/* A .deb, and one of its inner archives. */
struct opened_deb {
	struct archive *outer, *inner;
	struct member member;
};

static void opened_deb_free(struct opened_deb **deb)
{
	if (*deb) {
		archive_read_free((*deb)->inner);
		archive_read_free((*deb)->outer);
	}
	free(*deb);
}

/* PREFIX: of the inner archive's name, without the compression. */
static int open_member(struct opened_deb *d, const char *deb, const char *prefix,
		       struct error **err)
{
	archive_read_support_format_ar(d->outer);
	archive_read_support_format_tar(d->inner);
	d->member.outer = d->outer;
	if (!decompress_support(d->inner))
		return error_set(err, ERR_HOST, "%s", archive_error_string(d->inner));
	if (archive_read_open_filename(d->outer, deb, 65536) != ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "%s", archive_error_string(d->outer));
	if (find_member(d->outer, prefix, err) < 0)
		return -1;
	if (archive_read_open(d->inner, &d->member, NULL, deb_files_read_member, NULL) !=
	    ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "%s", archive_error_string(d->inner));
	return 0;
}

static struct opened_deb *deb_files_open(const char *deb, const char *prefix, struct error **err)
{
	_cleanup_(opened_deb_free) struct opened_deb *d = calloc(1, sizeof(*d));

	if (d) {
		d->outer = archive_read_new();
		d->inner = archive_read_new();
	}
	if (!d || !d->outer || !d->inner)
		error_no_memory(err);
	else if (open_member(d, deb, prefix, err) == 0)
		return STEAL_PTR(d);
	return NULL;
}

int deb_files_unpack(const char *deb, int dir, char *(*place)(const char *path), struct error **err)
{
	_cleanup_(opened_deb_free) struct opened_deb *d = deb_files_open(deb, "data.tar", err);

	if (!d || deb_files_unpack_data(d->inner, dir, place, err) < 0)
		return error_wrap(err, "cannot unpack %s", deb);
	return 0;
}

/* The next entry called "control"; NULL with ERR set. */
static struct archive_entry *find_control(struct archive *tar, struct error **err)
{
	struct archive_entry *entry;

	while (archive_read_next_header(tar, &entry) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);

		if (path && (strcmp(path, "./control") == 0 || strcmp(path, "control") == 0))
			return entry;
	}
	error_set(err, ERR_INPUT, "it has no control file");
	return NULL;
}

static char *read_control(struct archive *tar, struct error **err)
{
	struct archive_entry *entry = find_control(tar, err);
	int64_t size = entry ? archive_entry_size(entry) : 0;
	_cleanup_free_ char *text = NULL;

	if (!entry)
		return NULL;
	text = size > 0 && size <= CONTROL_MOST ? calloc(1, (size_t)size + 1) : NULL;
	if (!text || archive_read_data(tar, text, (size_t)size) != size ||
	    strlen(text) != (size_t)size) {
		error_set(err, ERR_INPUT, "its control file is malformed");
		return NULL;
	}
	while (size > 0 && text[size - 1] == '\n')
		text[--size] = '\0';
	if (size == 0 || strstr(text, "\n\n")) {
		error_set(err, ERR_INPUT, "its control file is not one stanza");
		return NULL;
	}
	return STEAL_PTR(text);
}

char *deb_files_control(const char *deb, struct error **err)
{
	_cleanup_(opened_deb_free) struct opened_deb *d = deb_files_open(deb, "control.tar", err);

	return d ? read_control(d->inner, err) : NULL;
}
