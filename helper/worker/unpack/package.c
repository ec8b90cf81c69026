#include "helper/worker/unpack/package.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/deb822.h"
#include "lib/write_all.h"

#define CONTROL_FILES_MAX 64
#define CONTROL_BYTES_MAX (16 << 20)
#define KIND_MAX 64

struct control_file {
	char kind[KIND_MAX];
	mode_t mode;
	char *data; /* a NUL follows its SIZE bytes */
	size_t size;
};

struct control_files {
	struct control_file files[CONTROL_FILES_MAX];
	size_t count, bytes;
};

static void control_clear(struct control_files *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->files[i].data);
}

static const struct control_file *control_find(const struct control_files *c, const char *kind)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->files[i].kind, kind) == 0)
			return &c->files[i];
	return NULL;
}

/* As in dpkg: the name of a kind of file, never a path. */
static bool valid_kind(const char *s)
{
	return s && valid_archive_word(s) && strlen(s) < KIND_MAX;
}

static int take_control_file(struct deb *d, struct control_files *c, struct archive_entry *entry,
			     struct error **err)
{
	const char *name = archive_entry_pathname(entry);
	int64_t size = archive_entry_size(entry);
	struct control_file *file = &c->files[c->count];

	if (name && (strcmp(name, ".") == 0 || strcmp(name, "./") == 0))
		return 0;
	if (name && strncmp(name, "./", 2) == 0)
		name += 2;
	if (!valid_kind(name) || archive_entry_filetype(entry) != AE_IFREG ||
	    archive_entry_hardlink(entry) || c->count == CONTROL_FILES_MAX || size < 0 ||
	    (uint64_t)size > CONTROL_BYTES_MAX - c->bytes)
		return error_set(err, ERR_PACKAGE, "package %s: malformed control archive",
				 d->name);
	snprintf(file->kind, sizeof(file->kind), "%s", name);
	file->mode = archive_entry_perm(entry);
	file->size = (size_t)size;
	file->data = calloc(1, file->size + 1);
	if (!file->data)
		return error_no_memory(err);
	c->count++;
	c->bytes += file->size;
	if (archive_read_data(d->tar, file->data, file->size) != (la_ssize_t)file->size)
		return error_set(err, ERR_PACKAGE, "package %s: malformed control archive",
				 d->name);
	return 0;
}

/* Reads all control files and returns the one named "control"; NULL on error. */
static const struct control_file *package_read_control(struct deb *d, struct control_files *c,
						       struct error **err)
{
	const struct control_file *control;
	struct archive_entry *entry;
	int r;

	while ((r = deb_entry(d, &entry, err)) > 0)
		if (take_control_file(d, c, entry, err) < 0)
			return NULL;
	if (r < 0)
		return NULL;
	control = control_find(c, "control");
	if (control && strlen(control->data) == control->size &&
	    stanza_field_is(control->data, control->size, "Package", d->name))
		return control;
	error_set(err, ERR_PACKAGE, "package %s: its control file names another package", d->name);
	return NULL;
}

static int package_write_file(int dir, const char *name, const void *data, size_t size, mode_t mode,
			      struct error **err)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, data, size) < 0 || fchmod(fd, mode) < 0 || fchown(fd, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", name);
	return 0;
}

/* "attr", or "libattr1:amd64" if several architectures of it can be installed at the same time. */
static void database_name(const struct layout *l, const char *name, const struct control_files *c,
			  char *out, size_t size)
{
	const struct control_file *control = control_find(c, "control");
	bool same = stanza_field_is(control->data, control->size, "Multi-Arch", "same");

	snprintf(out, size, "%s%s%s", name, same ? ":" : "", same ? l->arch : "");
}

static int write_info(const struct layout *l, const char *name, const struct control_files *c,
		      const char *list, size_t list_size, const char *sums, size_t sums_size,
		      struct error **err)
{
	_cleanup_close_ int info = tree_open_beneath(l->tree, DPKG_INFO, O_PATH | O_DIRECTORY, 0);
	char base[PACKAGE_NAME_MAX + SUITE_MAX + 2], file[sizeof(base) + KIND_MAX + 1];

	if (info < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open /" DPKG_INFO);
	database_name(l, name, c, base, sizeof(base));
	for (size_t i = 0; i < c->count; i++) {
		const struct control_file *f = &c->files[i];

		if (strcmp(f->kind, "control") == 0)
			continue;
		snprintf(file, sizeof(file), "%s.%s", base, f->kind);
		if (package_write_file(info, file, f->data, f->size, f->mode, err) < 0)
			return -1;
	}
	snprintf(file, sizeof(file), "%s.list", base);
	if (package_write_file(info, file, list, list_size, 0644, err) < 0)
		return -1;
	snprintf(file, sizeof(file), "%s.md5sums", base);
	return sums ? package_write_file(info, file, sums, sums_size, 0644, err) : 0;
}

static int package_unpack_data(const struct layout *l, struct deb *d, const struct control_files *c,
			       bool first, struct error **err)
{
	const struct control_file *conffiles = control_find(c, "conffiles");
	_cleanup_free_ char *list = NULL, *sums = NULL;
	size_t list_size, sums_size;
	struct extraction x = {
		.layout = l,
		.deb = d,
		.conffiles = conffiles ? conffiles->data : NULL,
		.first = first,
		.sums = !control_find(c, "md5sums"),
		.list = open_memstream(&list, &list_size),
		.md5sums = open_memstream(&sums, &sums_size),
	};
	int r = -1;

	if (!x.list || !x.md5sums)
		error_no_memory(err);
	else if (deb_member(d, "data.tar", err) == 0)
		r = extract(&x, err);
	if (x.list)
		fclose(x.list);
	if (x.md5sums)
		fclose(x.md5sums);
	if (r < 0)
		return -1;
	if (x.leave_to_dpkg)
		return PACKAGE_KEPT;
	if (write_info(l, d->name, c, list, list_size, x.sums ? sums : NULL, sums_size, err) < 0)
		return -1;
	return control_find(c, "preinst") ? PACKAGE_AHEAD : PACKAGE_UNPACKED;
}

static bool package_starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static bool is_statement(const char *line)
{
	return line[0] != '\n' && line[0] != '#' && !package_starts(line, "set -e\n") &&
	       !package_starts(line, "exit 0\n");
}

/* The parts that debhelper(7) puts into a preinst, between comments that name the tool, are about
 * older versions. On a first installation they do nothing, whether the package's files exist or
 * not. */
static bool is_idle(const struct control_file *preinst)
{
	static const char begin[] = "# Automatically added by ",
			  end[] = "# End automatically added";
	const char *line = preinst->data;
	bool inside = false;

	while (*line) {
		const char *part = package_starts(line, begin) ? line + strlen(begin) : NULL;

		if (part && !package_starts(part, "dh_installdeb/") &&
		    !package_starts(part, "dh_installinit/") &&
		    !package_starts(part, "dh_installsystemd/"))
			return false;
		if (part || package_starts(line, end))
			inside = part;
		else if (!inside && is_statement(line))
			return false;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return !inside && line == preinst->data + preinst->size;
}

/* Only dpkg may interpret flags of conffiles (deb-conffiles(5)). */
static bool for_dpkg(const struct control_files *c, enum unpack_way way)
{
	const struct control_file *conffiles = control_find(c, "conffiles");
	const struct control_file *preinst = control_find(c, "preinst");

	return way == LEAVE_TO_DPKG ||
	       (preinst && way != UNPACK_BEFORE_PREINST && !is_idle(preinst)) ||
	       (conffiles && strchr(conffiles->data, ' '));
}

static int unpack_piece(const struct layout *l, struct deb *d, bool first, struct error **err)
{
	_cleanup_free_ char *list = NULL;
	size_t list_size;
	struct extraction x = {
		.layout = l,
		.deb = d,
		.first = first,
		.piece = true,
		.list = open_memstream(&list, &list_size),
	};
	int r = -1;

	if (!x.list)
		return error_no_memory(err);
	if (deb_member(d, "data.tar", err) == 0)
		r = extract(&x, err);
	fclose(x.list);
	if (r < 0)
		return -1;
	return first ? PACKAGE_KEPT : PACKAGE_UNPACKED;
}

static int unpack_open(const struct layout *l, struct deb *d, bool first, enum unpack_way way,
		       struct error **err)
{
	_cleanup_(control_clear) struct control_files c = { .count = 0 };
	const struct control_file *control;

	if (deb_member(d, "control.tar", err) < 0)
		return -1;
	control = package_read_control(d, &c, err);
	if (!control)
		return -1;
	if (way == UNPACK_PIECE)
		return unpack_piece(l, d, first, err);
	if (package_write_file(l->work, d->name, control->data, control->size, 0644, err) < 0)
		return -1;
	if (for_dpkg(&c, way))
		return PACKAGE_KEPT;
	return package_unpack_data(l, d, &c, first, err);
}

int package_unpack(const struct layout *l, const char *name, int fd, bool first,
		   enum unpack_way way, struct error **err)
{
	static struct deb d;
	int state = -1;

	if (deb_open(&d, name, fd, err) == 0)
		state = unpack_open(l, &d, first, way, err);
	deb_close(&d);
	return state;
}
