/* What the front end may learn about a rootfs that it cannot enter: that it is one, the text of a
 * few files, and which of some paths exist. Nothing here gives access to the tree. Files are handed
 * out as copies, because the caller could execute a tree's own file through its descriptor. */
#include "helper/jailer/rootfs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "helper/jailer/handlers.h"
#include "lib/beneath.h"
#include "proto/note.h"

#define TEXT_MAX (1 << 20)
#define STATUS_MAX (32 << 20)

/* All files that can be read. Each must also be readable by every user in the rootfs. */
static const struct readable {
	const char *name, *path;
	off_t most; /* bytes */
} files[] = {
	{ "manifest", OWN_MANIFEST, MANIFEST_MAX },
	{ "os-release", "etc/os-release", TEXT_MAX },
	{ "passwd", "etc/passwd", TEXT_MAX },
	{ "group", "etc/group", TEXT_MAX },
	{ "dpkg-status", "var/lib/dpkg/status", STATUS_MAX },
};

/* A descriptor of a directory gives no access, even if it is open for reading: to go on from there
 * takes the right to enter the directory. It holds the lock of a rootfs in use. */
int handle_open(struct server *s, struct request *request, struct error **err)
{
	_cleanup_close_ int dir = tree_open_own(request->fds[0], ".", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int tree = -1;
	bool closed = false;

	(void)s;
	if (dir < 0)
		return error_errno(err, ERR_REFUSED, "cannot open the rootfs");
	if (!is_rootfs(dir))
		return error_set(err, ERR_MISSING, "the directory is not a rootfs made by rootlet");
	tree = rootfs_tree(dir, &closed);
	if (tree < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the rootfs");
	request->status = closed;
	request->fd = steal_fd(&dir);
	return 0;
}

static const struct readable *find_readable(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

int handle_read(struct server *s, struct request *request, struct error **err)
{
	const struct readable *file = find_readable(request->task->read.file);
	_cleanup_close_ int fd = -1, copy = -1;
	struct stat st;

	(void)s;
	if (!file)
		return error_set(err, ERR_INPUT, "Read refused: unknown file \"%s\"",
				 request->task->read.file);
	fd = tree_open_inside(request->fds[0], file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err,
				   errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open %s", file->path);
	if (!S_ISREG(st.st_mode) || st.st_size > file->most || !(st.st_mode & S_IROTH))
		return error_set(err, ERR_INPUT,
				 "%s is not a regular file of at most %lld bytes that every user "
				 "can read",
				 file->path, (long long)file->most);
	copy = memfd_create(file->name, MFD_CLOEXEC);
	if (copy < 0 || tree_copy_data(fd, copy, st.st_size) < 0 || lseek(copy, 0, SEEK_SET) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", file->path);
	request->fd = steal_fd(&copy);
	return 0;
}

static char look_kind_of(int tree, const char *path)
{
	_cleanup_close_ int fd = tree_open_inside(tree, path, O_PATH);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return '-';
	return S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : 'o';
}

int handle_find(struct server *s, struct request *request, struct error **err)
{
	struct note note = { .kind = NOTE_FOUND };
	char *kind = note.text;

	(void)err;
	for (const char *path = NULL; (path = words_next(&request->task->find.paths, path));)
		*kind++ = look_kind_of(request->fds[0], path);
	return note_send(s->parser, &note, -1);
}
