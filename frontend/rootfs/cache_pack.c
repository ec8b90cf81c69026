#include "frontend/rootfs/cache_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/archive/archive_reader.h"
#include "frontend/archive/fetch_message.h"
#include "frontend/archive/fetch_process.h"
#include "frontend/cli/interrupt.h"
#include "lib/write_all.h"

#define FORMAT "rootlet cache 1\n"
#define BLOCK ((size_t)1 << 20)
#define DEPTH_MAX 64 /* components of a name */

struct cache_pack {
	struct archive *writer;
	char *path, *draft;
	int fd;
};

/* --- writing --- */

void cache_pack_free(struct cache_pack **pack)
{
	struct cache_pack *p = *pack;

	if (!p)
		return;
	if (p->writer)
		archive_write_free(p->writer);
	if (p->draft && p->fd >= 0)
		unlink(p->draft);
	closep(&p->fd);
	free(p->path);
	free(p->draft);
	free(p);
	*pack = NULL;
}

static int cannot_write_pack(const struct cache_pack *p, struct error **err)
{
	int number = p->writer && archive_errno(p->writer) > 0 ? archive_errno(p->writer) : errno;

	return error_set(err, number == ENOSPC ? ERR_SPACE : ERR_SYSTEM, "cannot write %s: %s",
			 p->path, strerror(number));
}

static int pack_open(struct cache_pack *p, const char *path, struct error **err)
{
	p->path = strdup(path);
	if (!p->path || asprintf(&p->draft, "%s.XXXXXX", path) < 0) {
		p->draft = NULL;
		return error_no_memory(err);
	}
	p->fd = mkostemp(p->draft, O_CLOEXEC);
	if (p->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a file beside %s", path);
	p->writer = archive_write_new();
	if (!p->writer || archive_write_add_filter_zstd(p->writer) != ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(p->writer) != ARCHIVE_OK ||
	    archive_write_open_fd(p->writer, p->fd) != ARCHIVE_OK)
		return cannot_write_pack(p, err);
	return cache_pack_text(p, PACK_MARK, FORMAT, err);
}

struct cache_pack *cache_pack_begin(const char *path, struct error **err)
{
	struct cache_pack *p = calloc(1, sizeof(*p));

	if (!p) {
		error_no_memory(err);
		return NULL;
	}
	p->fd = -1;
	if (pack_open(p, path, err) < 0)
		cache_pack_free(&p);
	return p;
}

static int pack_header(struct cache_pack *p, const char *name, int64_t size, bool executable,
		       struct error **err)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	if (!entry)
		return error_no_memory(err);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, executable ? 0755 : 0644);
	archive_entry_set_size(entry, size);
	r = archive_write_header(p->writer, entry);
	archive_entry_free(entry);
	return r == ARCHIVE_OK ? 0 : cannot_write_pack(p, err);
}

int cache_pack_text(struct cache_pack *p, const char *name, const char *text, struct error **err)
{
	size_t size = strlen(text);

	if (pack_header(p, name, (int64_t)size, false, err) < 0)
		return -1;
	return archive_write_data(p->writer, text, size) == (ssize_t)size
		       ? 0
		       : cannot_write_pack(p, err);
}

int cache_pack_file(struct cache_pack *p, const char *name, int fd, bool executable,
		    struct error **err)
{
	_cleanup_free_ char *block = malloc(BLOCK);
	struct stat st;
	off_t at = 0;

	if (!block)
		return error_no_memory(err);
	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", name);
	if (pack_header(p, name, st.st_size, executable, err) < 0)
		return -1;
	while (at < st.st_size) {
		ssize_t n = RETRY_ON_EINTR(pread(fd, block, BLOCK, at));

		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
		if (n <= 0)
			return error_set(err, ERR_SYSTEM, "cannot read %s: %s", name,
					 n < 0 ? strerror(errno) : "it became shorter");
		if (archive_write_data(p->writer, block, (size_t)n) != n)
			return cannot_write_pack(p, err);
		at += n;
	}
	return 0;
}

int cache_pack_finish(struct cache_pack *p, uint64_t *bytes, struct error **err)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (archive_write_close(p->writer) != ARCHIVE_OK || fstat(p->fd, &st) < 0 ||
	    fchmod(p->fd, 0666 & ~mask) < 0 || rename(p->draft, p->path) < 0)
		return cannot_write_pack(p, err);
	closep(&p->fd);
	p->fd = -1;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

/* --- reading, in the confined process --- */

static int malformed_pack(const char *what, const char *why, struct error **err)
{
	return error_set(err, ERR_INPUT, "cannot import the file: %.200s %s", what, why);
}

/* A relative path of real names. */
static bool valid_packed_name(const char *name)
{
	size_t depth = 0;

	while (name && *name) {
		size_t length = strcspn(name, "/");

		if (!length || length > NAME_MAX || strncmp(name, ".", length) == 0 ||
		    (length == 2 && name[0] == '.' && name[1] == '.') || ++depth > DEPTH_MAX)
			return false;
		name += length;
		if (!*name)
			return true;
		name++;
	}
	return false;
}

static int make_parents(int dir, const char *name, struct error **err)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
		if (mkdirat(dir, path, 0755) < 0 && errno != EEXIST)
			return error_errno(err, ERR_SYSTEM, "cannot create %s", path);
	}
	return 0;
}

/* archive_read_data_into_fd() would leave holes with calls that the sandbox does not allow. */
static int unpack_data(struct archive *in, const char *name, int fd, struct error **err)
{
	static unsigned char block[1 << 16];
	ssize_t n;

	while ((n = archive_read_data(in, block, sizeof(block))) > 0)
		if (write_all(fd, block, (size_t)n) < 0)
			return error_errno(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM,
					   "cannot write %s", name);
	return n < 0 ? malformed_pack(name, "is damaged", err) : 0;
}

static int unpack_entry(struct archive *in, struct archive_entry *entry, int dir,
			struct error **err)
{
	const char *name = archive_entry_pathname(entry);
	_cleanup_close_ int fd = -1;

	if (!valid_packed_name(name) || strlen(name) >= PATH_MAX)
		return malformed_pack(name ? name : "an entry", "has a name that it cannot have",
				      err);
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return malformed_pack(name, "is not a regular file", err);
	if (make_parents(dir, name, err) < 0)
		return -1;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    archive_entry_perm(entry) & 0100 ? 0755 : 0644);
	if (fd < 0)
		return error_errno(err, errno == EEXIST ? ERR_INPUT : ERR_SYSTEM,
				   "cannot create %s", name);
	return unpack_data(in, name, fd, err);
}

static int check_mark(struct archive *in, struct archive_entry *entry, struct error **err)
{
	const char *name = archive_entry_pathname(entry);
	char text[sizeof(FORMAT)] = "";
	ssize_t n = -1;

	if (name && strcmp(name, PACK_MARK) == 0)
		n = archive_read_data(in, text, sizeof(text));
	if (n != sizeof(FORMAT) - 1 || memcmp(text, FORMAT, sizeof(FORMAT) - 1) != 0)
		return malformed_pack(
			"this", "is not what this version of rootlet cache export writes", err);
	return 0;
}

static int unpack_here(int file, const char *directory, struct error **err)
{
	_cleanup_archive_ struct archive *in = archive_read_new();
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct archive_entry *entry;
	bool first = true;
	int r;

	if (!in || dir < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", directory);
	if (archive_read_support_filter_zstd(in) != ARCHIVE_OK ||
	    archive_read_support_format_tar(in) != ARCHIVE_OK ||
	    archive_read_open_fd(in, file, BLOCK) != ARCHIVE_OK)
		return malformed_pack("this", "is not what rootlet cache export writes", err);
	while ((r = archive_read_next_header(in, &entry)) == ARCHIVE_OK) {
		if ((first ? check_mark(in, entry, err) : unpack_entry(in, entry, dir, err)) < 0)
			return -1;
		first = false;
	}
	if (r != ARCHIVE_EOF || first)
		return malformed_pack("this", "is damaged, or not what rootlet cache export writes",
				      err);
	return 0;
}

static int unpack_serve(int channel, void *context)
{
	struct fetch_message request, result = { .kind = FETCH_RESULT };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int file = -1;
	bool failed;

	if (fetch_message_receive(channel, &request, &file, NULL) <= 0)
		return 1;
	failed = unpack_here(file, context, &err) < 0;
	fetch_message_set_error(&result, failed, err);
	return fetch_message_send(channel, &result, -1, NULL) < 0;
}

/* --- its parent --- */

int cache_unpack(int pack, const char *directory, struct error **err)
{
	const struct fetch_sandbox sandbox = { .tree = directory };
	const struct fetch_task task = { .run = unpack_serve,
					 .context = (void *)(uintptr_t)directory };
	const struct fetch_message request = { .kind = FETCH_ATTACHED };
	struct fetch_message result = { .kind = 0 };
	struct fetch_process process;
	int r, fd = -1, status;

	if (fetch_process_start(&task, &sandbox, &process, err) < 0)
		return -1;
	r = fetch_message_send(process.channel, &request, pack, err);
	if (r == 0)
		r = fetch_message_receive(process.channel, &result, &fd, err);
	closep(&fd);
	status = fetch_process_stop(&process);
	if (r < 0)
		return -1;
	if (r == 0 || result.kind != FETCH_RESULT)
		return fetch_process_lost(status, err);
	return result.result.code ? error_set(err, result.result.code, "%s", result.result.text)
				  : 0;
}
