#include "frontend/rootfs/pieces.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "frontend/archive/fetch_message.h"
#include "frontend/archive/fetch_process.h"
#include "frontend/cli/text.h"
#include "frontend/rootfs/piece_file.h"
#include "frontend/rootfs/piece_groups.h"
#include "frontend/rootfs/piece_tar.h"
#include "proto/tree_attribute.h"

#define OWN "etc/rootlet/" /* what a rootfs says of itself on this host */
#define GROUPS_MAX_OPEN (PACKAGES_MAX + PIECE_REST + 1)
#define INDEX_MAX (64 << 20)

/* The files of one piece, while the tree is read: a tar archive in an unlinked file. */
struct spool {
	char group[PIECE_GROUP_SIZE]; /* "" for the directories */
	int fd;
	struct archive *writer;
};

struct packer {
	const char *path; /* of the pool */
	int pool;
	struct piece_groups *groups;
	struct spool *spools; /* the first has the directories */
	size_t count;
	json_t *numbers; /* group: index of its spool */
	int channel;	 /* to the parent */
};

static void packer_clear(struct packer *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->spools[i].writer)
			archive_write_free(p->spools[i].writer);
		closep(&p->spools[i].fd);
	}
	free(p->spools);
	json_decref(p->numbers);
	piece_groups_free(&p->groups);
	closep(&p->pool);
}

static int cannot_spool(const struct spool *s, struct error **err)
{
	/* libarchive's text for a full disk is "Write error". */
	int number =
		s->writer && archive_error_string(s->writer) ? archive_errno(s->writer) : errno;

	return error_set(err, number == ENOSPC ? ERR_SPACE : ERR_SYSTEM,
			 "cannot write the files of a piece: %s",
			 number > 0 ? strerror(number) : archive_error_string(s->writer));
}

static struct spool *spool_add(struct packer *p, const char *group, struct error **err)
{
	struct spool *s = &p->spools[p->count];
	char name[32];

	if (p->count == GROUPS_MAX_OPEN) {
		error_set(err, ERR_INPUT, "cannot publish the rootfs: it has more than %d packages",
			  PACKAGES_MAX);
		return NULL;
	}
	*s = (struct spool){ .writer = archive_write_new() };
	snprintf(s->group, sizeof(s->group), "%s", group);
	snprintf(name, sizeof(name), ".spool%zu", p->count);
	s->fd = openat(p->pool, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	p->count++;
	if (s->fd < 0 || unlinkat(p->pool, name, 0) < 0 || !s->writer ||
	    archive_write_set_format_pax_restricted(s->writer) != ARCHIVE_OK ||
	    archive_write_open_fd(s->writer, s->fd) != ARCHIVE_OK ||
	    json_object_set_new(p->numbers, group, json_integer((json_int_t)p->count - 1)) < 0) {
		cannot_spool(s, err);
		return NULL;
	}
	return s;
}

static struct spool *spool_of(struct packer *p, const char *group, struct error **err)
{
	const json_t *number = json_object_get(p->numbers, group);

	return number ? &p->spools[json_integer_value(number)] : spool_add(p, group, err);
}

/* --- reading the tree --- */

static int cannot_publish(const char *path, const char *why, struct error **err)
{
	return error_set(err, ERR_INPUT, "cannot publish /%s: %s", path, why);
}

/* What a piece cannot have, or the helper would refuse. */
static int check_entry(struct archive_entry *entry, const char *path, struct error **err)
{
	const char *name;
	const void *value;
	size_t size;

	if (strchr(path, '\n'))
		return cannot_publish(path, "its name has a line break", err);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
	case AE_IFLNK:
	case AE_IFDIR:
		break;
	case 0:
		if (archive_entry_hardlink(entry))
			break;
		/* fall through */
	default:
		return cannot_publish(path, "it is a pipe, a socket or a device; remove it first",
				      err);
	}
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
		if (!valid_tree_attribute(name))
			return error_set(err, ERR_INPUT,
					 "cannot publish /%s: it has the extended attribute %s; "
					 "remove it first: setfattr -x %s",
					 path, name, name);
	return 0;
}

/* A copy of ENTRY without what differs between hosts. */
static struct archive_entry *clean_entry(struct archive_entry *entry, const char *path)
{
	struct archive_entry *clean = archive_entry_new();
	_cleanup_free_ char *name = NULL;
	const char *link = archive_entry_hardlink(entry), *attribute;
	const void *value;
	size_t size;

	if (!clean || asprintf(&name, "./%s", path) < 0)
		return clean;
	archive_entry_set_pathname(clean, name);
	archive_entry_set_filetype(clean, link ? AE_IFREG : archive_entry_filetype(entry));
	archive_entry_set_perm(clean, archive_entry_perm(entry));
	archive_entry_set_uid(clean, archive_entry_uid(entry));
	archive_entry_set_gid(clean, archive_entry_gid(entry));
	archive_entry_set_mtime(clean, archive_entry_mtime(entry), 0);
	archive_entry_set_size(clean, link ? 0 : archive_entry_size(entry));
	if (link)
		archive_entry_set_hardlink(clean, link);
	else if (archive_entry_filetype(entry) == AE_IFLNK)
		archive_entry_set_symlink(clean, archive_entry_symlink(entry));
	archive_entry_xattr_reset(entry);
	while (!link && archive_entry_xattr_next(entry, &attribute, &value, &size) == ARCHIVE_OK)
		archive_entry_xattr_add_entry(clean, attribute, value, size);
	return clean;
}

static int copy_content(struct archive *tar, struct spool *s, struct error **err)
{
	char block[65536];
	la_ssize_t n;

	while ((n = archive_read_data(tar, block, sizeof(block))) > 0)
		if (archive_write_data(s->writer, block, (size_t)n) != n)
			return cannot_spool(s, err);
	return n < 0 ? piece_tar_malformed(tar, err) : 0;
}

static int spool_entry(struct packer *p, struct archive *tar, struct archive_entry *entry,
		       const char *path, struct error **err)
{
	bool directory = archive_entry_filetype(entry) == AE_IFDIR;
	const char *link = archive_entry_hardlink(entry);
	struct archive_entry *clean;
	char group[PIECE_GROUP_SIZE] = "";
	struct spool *s;
	int r;

	/* A hard link and its target are in one piece. */
	if (!directory)
		piece_group_of(p->groups,
			       link ? link + (text_has_prefix(link, "./") ? 2 : 0) : path, group);
	s = spool_of(p, group, err);
	if (!s)
		return -1;
	clean = clean_entry(entry, path);
	r = clean ? archive_write_header(s->writer, clean) : ARCHIVE_FATAL;
	archive_entry_free(clean);
	if (r != ARCHIVE_OK)
		return cannot_spool(s, err);
	return link || archive_entry_size(entry) == 0 ? 0 : copy_content(tar, s, err);
}

static int spool_tree(struct packer *p, int fd, struct error **err)
{
	_cleanup_archive_ struct archive *tar = piece_tar_open(fd, err);
	struct archive_entry *entry;
	int r;

	if (!tar || !spool_add(p, "", err))
		return -1;
	while ((r = piece_tar_next(tar, &entry, err)) > 0) {
		const char *path = piece_tar_path(entry);

		if (!path)
			return piece_tar_malformed(tar, err);
		if (text_has_prefix(path, OWN) && path[strlen(OWN)])
			continue;
		if (check_entry(entry, path, err) < 0 || spool_entry(p, tar, entry, path, err) < 0)
			return -1;
	}
	return r;
}

/* --- writing the pieces --- */

static void tell_progress(const struct packer *p, size_t done)
{
	struct fetch_message message = { .kind = FETCH_UPDATE };

	message.update.items = done;
	message.update.items_total = p->count;
	if (fetch_message_send(p->channel, &message, -1, NULL) < 0)
		_exit(0);
}

static void print_stanza(FILE *index, const struct piece_file *piece, const char *depends)
{
	char hex[2 * SHA256_LEN + 1];

	sha256_to_hex(piece->sha256, hex);
	fprintf(index,
		"Package: %s\nVersion: 1\nArchitecture: all\n%s%s%sFilename: pool/%s.deb\n"
		"Size: %ju\nSHA256: %s\n\n",
		piece->name, *depends ? "Depends: " : "", depends, *depends ? "\n" : "", hex,
		(uintmax_t)piece->size, hex);
}

static int compare_spools(const void *a, const void *b)
{
	return strcmp(((const struct spool *)a)->group, ((const struct spool *)b)->group);
}

static int write_piece(const struct packer *p, struct spool *s, const char *name,
		       struct piece_file *piece, struct error **err)
{
	if (archive_write_close(s->writer) != ARCHIVE_OK)
		return cannot_spool(s, err);
	if (piece_file_write(s->fd, p->pool, name, piece, err) < 0)
		return -1;
	closep(&s->fd);
	s->fd = -1;
	return 0;
}

/* Stores the names of all pieces but the directories. */
static int write_file_pieces(struct packer *p, FILE *index, char **names, struct error **err)
{
	_cleanup_fclose_ FILE *list = NULL;
	struct piece_file piece = { 0 };
	size_t size;

	list = open_memstream(names, &size);
	if (!list)
		return error_no_memory(err);
	for (size_t i = 1; i < p->count; i++) {
		tell_progress(p, i - 1);
		if (write_piece(p, &p->spools[i], "", &piece, err) < 0)
			return -1;
		fprintf(list, "%s%s", i > 1 ? ", " : "", piece.name);
		print_stanza(index, &piece, "");
	}
	return fflush(list) == 0 ? 0 : error_no_memory(err);
}

static int write_pieces(struct packer *p, FILE *index, struct error **err)
{
	_cleanup_free_ char *names = NULL;
	struct piece_file piece = { 0 };

	/* The directories, whose group has no name, stay first. */
	qsort(p->spools, p->count, sizeof(*p->spools), compare_spools);
	if (write_file_pieces(p, index, &names, err) < 0 ||
	    write_piece(p, &p->spools[0], PIECE_DIRECTORIES, &piece, err) < 0)
		return -1;
	print_stanza(index, &piece, names);
	tell_progress(p, p->count);
	return 0;
}

/* --- the confined process --- */

static int pack_here(struct packer *p, int tar, FILE *index, struct error **err)
{
	p->pool = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->pool < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", p->path);
	p->groups = piece_groups_read(tar, err);
	if (!p->groups)
		return -1;
	p->numbers = json_object();
	p->spools = calloc(GROUPS_MAX_OPEN, sizeof(*p->spools));
	if (!p->numbers || !p->spools)
		return error_no_memory(err);
	return spool_tree(p, tar, err) < 0 ? -1 : write_pieces(p, index, err);
}

/* Returns a sealed file with the index, or -1 with ERR set. */
static int pack_to_file(struct packer *p, int tar, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *index = open_memstream(&text, &size);
	int r;

	if (!index)
		return error_no_memory(err);
	r = pack_here(p, tar, index, err);
	packer_clear(p);
	if (fclose(index) != 0 && r == 0)
		return error_no_memory(err);
	return r < 0 ? -1 : fetch_write_sealed("Packages", text, size, err);
}

/* The request carries the archive. */
static int pack_serve(int channel, void *context)
{
	struct fetch_message request, result = { .kind = FETCH_RESULT };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int tar = -1, index = -1;
	struct packer *p = context;

	if (fetch_message_receive(channel, &request, &tar, NULL) <= 0)
		return 1;
	p->channel = channel;
	index = pack_to_file(p, tar, &err);
	fetch_message_set_error(&result, index < 0, err);
	return fetch_message_send(channel, &result, index, NULL) < 0;
}

/* --- its parent --- */

static int pack_in_child(int channel, int tar, struct progress *progress, int *index, size_t *count,
			 struct error **err)
{
	const struct fetch_message request = { .kind = FETCH_ATTACHED };
	struct fetch_message m = { .kind = 0 };
	int r = fetch_message_send(channel, &request, tar, err);

	while (r >= 0 && m.kind != FETCH_RESULT) {
		closep(index);
		r = fetch_message_receive(channel, &m, index, err);
		if (r == 0)
			return error_set(err, ERR_SYSTEM,
					 "cannot pack the rootfs: the child process exited; see: "
					 "journalctl -k");
		if (r > 0 && m.kind == FETCH_UPDATE) {
			*count = m.update.items_total;
			progress_update(progress, m.update.items, m.update.items_total, 0, 0);
		}
	}
	if (r < 0)
		return -1;
	return m.result.code ? error_set(err, m.result.code, "%s", m.result.text) : 0;
}

int pieces_pack(int tar, const char *pool, struct progress *progress, char **index, size_t *count,
		struct error **err)
{
	const struct fetch_sandbox sandbox = { .writable = { pool }, .writable_count = 1 };
	struct packer packer = { .path = pool, .pool = -1 };
	const struct fetch_task task = { .run = pack_serve, .context = &packer };
	struct fetch_process process;
	_cleanup_close_ int file = -1;
	size_t size;
	int r;

	if (fetch_process_start(&task, &sandbox, &process, err) < 0)
		return -1;
	r = pack_in_child(process.channel, tar, progress, &file, count, err);
	fetch_process_stop(&process);
	if (r < 0)
		return -1;
	if (!fetch_is_sealed(file, INDEX_MAX))
		return error_set(err, ERR_SYSTEM,
				 "cannot pack the rootfs: the child process sent invalid data");
	*index = fetch_read_sealed(file, &size, err);
	return *index ? 0 : -1;
}
