#include "helper/worker/unpack/extract.h"

#include <fcntl.h>
#include <nettle/md5.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/beneath.h"
#include "lib/write_all.h"
#include "proto/tree_attribute.h"

#define DPKG_NEW ".dpkg-new"
#define ID_MAX 65534
#define STATIC_ID_MAX 99 /* base-passwd(8): the same on every system */

bool extract_aliased(const char *path, size_t *length)
{
	static const char *const names[] = { "bin",    "lib",	 "lib32", "lib64",
					     "libo32", "libx32", "sbin" };

	*length = strcspn(path, "/");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == *length && strncmp(path, names[i], *length) == 0)
			return true;
	return false;
}

static int make_dir(int at, const char *name)
{
	return mkdirat(at, name, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

int extract_alias(const struct layout *layout, const char *name)
{
	char target[16];
	ssize_t length;

	snprintf(target, sizeof(target), "usr/%s", name);
	if (make_dir(layout->tree, "usr") < 0 || make_dir(layout->tree, target) < 0)
		return -1;
	if (symlinkat(target, layout->tree, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	length = readlinkat(layout->tree, name, (char[16]){ 0 }, 16);
	return length == (ssize_t)strlen(target) ? 0 : -1;
}

static int malformed(const struct extraction *x, const char *path, const char *why,
		     struct error **err)
{
	return error_set(err, ERR_PACKAGE, "package %s: refused: \"%.200s\" %s", x->deb->name, path,
			 why);
}

static int extract_fail(const struct extraction *x, const char *path, struct error **err)
{
	return error_errno(err, ERR_SYSTEM, "package %s: cannot unpack \"%.200s\"", x->deb->name,
			   path);
}

/* PLACE exists already. */
static int extract_exists(struct extraction *x, const char *place, struct error **err)
{
	if (x->piece)
		return malformed(x, place, "is in another piece as well", err);
	x->leave_to_dpkg = true;
	return 0;
}

/* NAME without "./" and a trailing slash ("." for the root). NULL if any component is not a plain
 * name. */
static const char *plain_path(const char *name, char path[static PATH_LENGTH_MAX])
{
	size_t length;

	if (strncmp(name, "./", 2) == 0)
		name += 2;
	length = strlen(name);
	if (length > 0 && name[length - 1] == '/')
		length--;
	if (length == 0 || (length == 1 && name[0] == '.'))
		return memcpy(path, ".", sizeof("."));
	if (length + sizeof(DPKG_NEW) >= PATH_LENGTH_MAX || memchr(name, '\n', length))
		return NULL;
	memcpy(path, name, length);
	path[length] = '\0';
	for (const char *at = path;; at++) {
		size_t size = strcspn(at, "/");

		if (size == 0 || (size == 1 && at[0] == '.') ||
		    (size == 2 && at[0] == '.' && at[1] == '.'))
			return NULL;
		at += size;
		if (!*at)
			return path;
	}
}

/* The place of PATH in the tree: below usr/ if its first directory is a link to there. */
static int locate(const struct extraction *x, const char *path, char place[static PATH_LENGTH_MAX],
		  struct error **err)
{
	char name[8];
	size_t length;

	if (!x->layout->merged || !extract_aliased(path, &length)) {
		snprintf(place, PATH_LENGTH_MAX, "%s", path);
		return 0;
	}
	memcpy(name, path, length);
	name[length] = '\0';
	if (extract_alias(x->layout, name) < 0)
		return extract_fail(x, name, err);
	if (snprintf(place, PATH_LENGTH_MAX, "usr/%s", path) >= PATH_LENGTH_MAX)
		return malformed(x, path, "is too long", err);
	return 0;
}

/* Opens the directory of PLACE as x->parent_fd, unless it is that already. *NAME becomes the
 * rest. */
static int open_parent(struct extraction *x, const char *place, const char **name,
		       struct error **err)
{
	const char *slash = strrchr(place, '/');
	size_t length = slash ? (size_t)(slash - place) : 1;
	const char *dir = slash ? place : ".";

	*name = slash ? slash + 1 : place;
	if (x->parent_fd >= 0 && strncmp(x->parent, dir, length) == 0 && x->parent[length] == '\0')
		return 0;
	closep(&x->parent_fd);
	memcpy(x->parent, dir, length);
	x->parent[length] = '\0';
	x->parent_fd = tree_open_beneath(x->layout->tree, x->parent, O_PATH | O_DIRECTORY, 0);
	if (x->parent_fd >= 0)
		return 0;
	if (errno == ELOOP || errno == ENOTDIR)
		return malformed(x, place, "leads through a symlink or a file", err);
	return extract_fail(x, place, err);
}

static bool is_conffile(const struct extraction *x, const char *path)
{
	size_t length = strlen(path);

	for (const char *at = x->conffiles; at && *at; at++) {
		size_t size = strcspn(at, "\n");

		if (size == length + 1 && at[0] == '/' && strncmp(at + 1, path, length) == 0)
			return true;
		at += size;
		if (!*at)
			break;
	}
	return false;
}

/* Sets the owner, the mode (which a change of owner resets) and the time of FD. */
static int extract_set_attributes(int fd, struct archive_entry *entry)
{
	const struct timespec times[] = { { archive_entry_mtime(entry), 0 },
					  { archive_entry_mtime(entry), 0 } };

	if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0 ||
	    fchmod(fd, archive_entry_perm(entry)) < 0)
		return -1;
	return futimens(fd, times);
}

/* Of a piece: what a tree may have besides its modes. */
static int extract_extended(struct extraction *x, int fd, struct archive_entry *entry,
			    const char *place, struct error **err)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(entry);
	while (x->piece && archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (!valid_tree_attribute(name))
			return malformed(x, place, "has an unexpected extended attribute", err);
		if (fsetxattr(fd, name, value, size, 0) < 0)
			return extract_fail(x, place, err);
	}
	return 0;
}

static int extract_dir(struct extraction *x, struct archive_entry *entry, const char *place,
		       struct error **err)
{
	_cleanup_close_ int fd = -1;
	const char *name;
	bool made;

	if (open_parent(x, place, &name, err) < 0)
		return -1;
	made = mkdirat(x->parent_fd, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return extract_fail(x, place, err);
	/* Like dpkg, leave an existing directory as it is. */
	if (!made && !x->first)
		return 0;
	fd = openat(x->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || extract_set_attributes(fd, entry) < 0)
		return extract_fail(x, place, err);
	return extract_extended(x, fd, entry, place, err);
}

static int extract_symlink(struct extraction *x, struct archive_entry *entry, const char *place,
			   struct error **err)
{
	const struct timespec times[] = { { archive_entry_mtime(entry), 0 },
					  { archive_entry_mtime(entry), 0 } };
	const char *target = archive_entry_symlink(entry), *name;

	if (!target || !*target)
		return malformed(x, place, "is a symlink to nowhere", err);
	if (open_parent(x, place, &name, err) < 0)
		return -1;
	if (symlinkat(target, x->parent_fd, name) < 0)
		return errno == EEXIST ? extract_exists(x, place, err)
				       : extract_fail(x, place, err);
	if (fchownat(x->parent_fd, name, (uid_t)archive_entry_uid(entry),
		     (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(x->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return extract_fail(x, place, err);
	return 0;
}

/* Hard links may lead only to files of the same archive: it has no reason to name any other. */
static int extract_hard_link(struct extraction *x, struct archive_entry *entry, const char *place,
			     struct error **err)
{
	char path[PATH_LENGTH_MAX], target[PATH_LENGTH_MAX], absolute[PATH_LENGTH_MAX + 1];
	_cleanup_close_ int dir = -1;
	const char *name, *slash;
	size_t i = 0;

	if (!plain_path(archive_entry_hardlink(entry), path))
		return malformed(x, place, "is a hard link out of the tree", err);
	snprintf(absolute, sizeof(absolute), "/%s", path);
	while (i < x->listed_count && strcmp(x->listed[i], absolute) != 0)
		i++;
	if (i == x->listed_count)
		return malformed(x, place, "is a hard link to a file not in its package", err);
	if (is_conffile(x, path) || filters_skip(&x->layout->filters, absolute, false)) {
		x->leave_to_dpkg = true;
		return 0;
	}
	if (locate(x, path, target, err) < 0 || open_parent(x, place, &name, err) < 0)
		return -1;
	slash = strrchr(target, '/');
	if (slash)
		target[slash - target] = '\0';
	dir = tree_open_beneath(x->layout->tree, slash ? target : ".", O_PATH | O_DIRECTORY, 0);
	if (dir < 0 || linkat(dir, slash ? slash + 1 : target, x->parent_fd, name, 0) < 0)
		return errno == EEXIST ? extract_exists(x, place, err)
				       : extract_fail(x, place, err);
	return 0;
}

/* Writes the content of ENTRY to FD, and adds it to the MD5 sum, if one is wanted. */
static int write_content(struct extraction *x, const char *path, int fd, struct md5_ctx *sums,
			 struct error **err)
{
	int64_t offset, at = 0;
	const void *data;
	size_t size;
	int r;

	while ((r = archive_read_data_block(x->deb->tar, &data, &size, &offset)) == ARCHIVE_OK) {
		if (offset != at)
			return malformed(x, path, "is a sparse file", err);
		if (write_all(fd, data, size) < 0)
			return extract_fail(x, path, err);
		if (sums)
			md5_update(sums, size, data);
		at += (int64_t)size;
	}
	if (r == ARCHIVE_EOF)
		return 0;
	return malformed(x, path, "cannot be unpacked: the archive is damaged", err);
}

static int extract_write_file(struct extraction *x, const char *path, int fd, struct error **err)
{
	struct md5_ctx md5;
	uint8_t sum[MD5_DIGEST_SIZE];

	md5_init(&md5);
	if (write_content(x, path, fd, x->sums ? &md5 : NULL, err) < 0)
		return -1;
	if (!x->sums || is_conffile(x, path))
		return 0;
	md5_digest(&md5, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		fprintf(x->md5sums, "%02x", sum[i]);
	fprintf(x->md5sums, "  %s\n", path);
	return 0;
}

static int extract_file(struct extraction *x, struct archive_entry *entry, const char *path,
			char place[static PATH_LENGTH_MAX], struct error **err)
{
	_cleanup_close_ int fd = -1;
	const char *name;

	if (is_conffile(x, path))
		strncat(place, DPKG_NEW, PATH_LENGTH_MAX - strlen(place) - 1);
	if (open_parent(x, place, &name, err) < 0)
		return -1;
	fd = openat(x->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return extract_exists(x, path, err);
	if (fd < 0)
		return extract_fail(x, path, err);
	if (extract_write_file(x, path, fd, err) < 0)
		return -1;
	if (extract_set_attributes(fd, entry) < 0)
		return extract_fail(x, path, err);
	return extract_extended(x, fd, entry, path, err);
}

static int extract_remember(struct extraction *x, const char *path, struct error **err)
{
	char **more = x->listed;

	/* Double the room whenever the count is a power of two. */
	if ((x->listed_count & (x->listed_count - 1)) == 0)
		more = reallocarray(more, x->listed_count ? 2 * x->listed_count : 1, sizeof(*more));
	if (more)
		x->listed = more;
	if (!more || asprintf(&more[x->listed_count], "/%s", path) < 0)
		return error_no_memory(err);
	fprintf(x->list, "%s\n", more[x->listed_count++]);
	return 0;
}

/* dpkg goes by the names of owners. Below 100, the numbers mean the same on every system. */
static bool owner_is_known(struct archive_entry *entry)
{
	return archive_entry_uid(entry) <= STATIC_ID_MAX &&
	       archive_entry_gid(entry) <= STATIC_ID_MAX;
}

static int extract_check_owner(struct extraction *x, struct archive_entry *entry, const char *path,
			       struct error **err)
{
	if (archive_entry_uid(entry) < 0 || archive_entry_uid(entry) > ID_MAX ||
	    archive_entry_gid(entry) < 0 || archive_entry_gid(entry) > ID_MAX)
		return malformed(x, path, "has an owner outside of the range", err);
	if (!x->piece && !owner_is_known(entry))
		x->leave_to_dpkg = true;
	return 0;
}

/* What dpkg would make of the directory NAME, such as /bin, depends on diversions, and none exists
 * before the first preinst has run. Processes beside this one append to the file as well. */
static int record_alias(const struct extraction *x, struct archive_entry *entry, const char *name,
			struct error **err)
{
	_cleanup_close_ int fd =
		openat(x->layout->work, ALIASES,
		       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	char line[64];
	int length = snprintf(line, sizeof(line), "%s %o %ju\n", name, archive_entry_perm(entry),
			      (uintmax_t)archive_entry_mtime(entry));

	return fd < 0 || write_all(fd, line, (size_t)length) < 0 ? extract_fail(x, name, err) : 0;
}

static int extract_plain(struct extraction *x, struct archive_entry *entry, const char *path,
			 struct error **err)
{
	char place[PATH_LENGTH_MAX];
	const char *absolute = x->listed[x->listed_count - 1];
	unsigned type = archive_entry_filetype(entry);
	size_t length;

	if (filters_skip(&x->layout->filters, absolute, type == AE_IFDIR || type == AE_IFLNK))
		return 0;
	if (locate(x, path, place, err) < 0)
		return -1;
	/* The link itself exists by now; trixie's base-files contains it. */
	if (x->layout->merged && extract_aliased(path, &length) && !path[length])
		return type == AE_IFDIR ? record_alias(x, entry, path, err) : 0;
	if (archive_entry_hardlink(entry))
		return extract_hard_link(x, entry, place, err);
	switch (type) {
	case AE_IFDIR:
		return extract_dir(x, entry, place, err);
	case AE_IFLNK:
		return extract_symlink(x, entry, place, err);
	case AE_IFREG:
		return extract_file(x, entry, path, place, err);
	default:
		return malformed(x, path, "is a device, a pipe or a socket", err);
	}
}

static int extract_root(const struct extraction *x, struct archive_entry *entry, struct error **err)
{
	return extract_set_attributes(x->layout->tree, entry) < 0 ? extract_fail(x, ".", err) : 0;
}

static int extract_entry(struct extraction *x, struct archive_entry *entry, struct error **err)
{
	const char *name = archive_entry_pathname(entry);
	char path[PATH_LENGTH_MAX];

	if (!name || !plain_path(name, path))
		return malformed(x, name ? name : "", "is not a path below the tree", err);
	if (extract_check_owner(x, entry, path, err) < 0 || extract_remember(x, path, err) < 0)
		return -1;
	if (strcmp(path, ".") == 0)
		return x->piece && x->first ? extract_root(x, entry, err) : 0;
	return extract_plain(x, entry, path, err);
}

int extract(struct extraction *x, struct error **err)
{
	struct archive_entry *entry;
	int r;

	x->parent_fd = -1;
	while (!x->leave_to_dpkg && (r = deb_entry(x->deb, &entry, err)) != 0)
		if (r < 0 || extract_entry(x, entry, err) < 0)
			break;
	closep(&x->parent_fd);
	x->parent_fd = -1;
	for (size_t i = 0; i < x->listed_count; i++)
		free(x->listed[i]);
	free(x->listed);
	x->listed = NULL;
	x->listed_count = 0;
	return err && *err ? -1 : 0;
}
