#include "frontend/rootfs/piece_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "lib/cleanup.h"
#include "lib/pwrite_all.h"

#define BLOCK ((size_t)1 << 20)
#define LEVEL "9" /* of zstd: 19 saves a tenth and takes ten times as long */
#define DRAFT ".draft"
#define AR_HEADER 60

static void name_piece(const uint8_t files[static SHA256_LEN], char name[static PIECE_NAME_SIZE])
{
	char hex[2 * SHA256_LEN + 1];

	sha256_to_hex(files, hex);
	snprintf(name, PIECE_NAME_SIZE, "piece-%.40s", hex);
}

/* --- writing --- */

static void archive_writer_free(struct archive **writer)
{
	if (*writer)
		archive_write_free(*writer);
}

#define _cleanup_writer_ _cleanup_(archive_writer_free)

static int cannot_write(struct archive *writer, struct error **err)
{
	/* libarchive's text for a full disk is "Write error". */
	int number = writer && archive_error_string(writer) ? archive_errno(writer) : errno;

	return error_set(err, number == ENOSPC ? ERR_SPACE : ERR_SYSTEM, "cannot write a piece: %s",
			 number > 0 ? strerror(number) : archive_error_string(writer));
}

static int write_header(int deb, const char *name, uint64_t size, off_t at)
{
	char header[AR_HEADER + 1];

	snprintf(header, sizeof(header), "%-16s%-12d%-6d%-6d%-8s%-10ju`\n", name, 0, 0, 0, "100644",
		 (uintmax_t)size);
	return pwrite_all(deb, header, AR_HEADER, at);
}

/* A tar archive with one file, ./control. */
static int compose_control(const char *name, char **tar, size_t *size, struct error **err)
{
	_cleanup_writer_ struct archive *writer = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	_cleanup_free_ char *text = NULL, *block = malloc(BLOCK);
	int length = asprintf(&text,
			      "Package: %s\nVersion: 1\nArchitecture: all\n"
			      "Maintainer: rootlet\nDescription: part of a rootfs\n",
			      name);
	int r = -1;

	if (writer && entry && block && length >= 0) {
		archive_entry_set_pathname(entry, "./control");
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, length);
		archive_entry_set_mtime(entry, 0, 0);
		if (archive_write_set_format_ustar(writer) == ARCHIVE_OK &&
		    archive_write_open_memory(writer, block, BLOCK, size) == ARCHIVE_OK &&
		    archive_write_header(writer, entry) == ARCHIVE_OK &&
		    archive_write_data(writer, text, (size_t)length) == length &&
		    archive_write_close(writer) == ARCHIVE_OK)
			r = 0;
	}
	archive_entry_free(entry);
	if (r < 0)
		return cannot_write(writer, err);
	*tar = STEAL_PTR(block);
	return 0;
}

static int copy_into(struct archive *writer, int from)
{
	_cleanup_free_ char *block = malloc(BLOCK);
	off_t at = 0;
	ssize_t n;

	while (block && (n = RETRY_ON_EINTR(pread(from, block, BLOCK, at))) > 0) {
		if (archive_write_data(writer, block, (size_t)n) != n)
			return -1;
		at += n;
	}
	return block && n == 0 ? 0 : -1;
}

/* Appends FILES, compressed, to DEB. */
static int compress_files(int files, int deb, struct error **err)
{
	_cleanup_writer_ struct archive *writer = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	int r = -1;

	if (writer && entry) {
		archive_entry_set_filetype(entry, AE_IFREG);
		if (archive_write_set_format_raw(writer) == ARCHIVE_OK &&
		    archive_write_add_filter_zstd(writer) == ARCHIVE_OK &&
		    archive_write_set_filter_option(writer, "zstd", "compression-level", LEVEL) ==
			    ARCHIVE_OK &&
		    archive_write_set_bytes_in_last_block(writer, 1) == ARCHIVE_OK &&
		    archive_write_open_fd(writer, deb) == ARCHIVE_OK &&
		    archive_write_header(writer, entry) == ARCHIVE_OK &&
		    copy_into(writer, files) == 0 && archive_write_close(writer) == ARCHIVE_OK)
			r = 0;
	}
	archive_entry_free(entry);
	return r < 0 ? cannot_write(writer, err) : 0;
}

static int write_deb(int files, int deb, const char *name, struct error **err)
{
	static const char magic[] = "!<arch>\n", version[] = "2.0\n";
	_cleanup_free_ char *control = NULL;
	size_t control_size = 0;
	off_t at = sizeof(magic) - 1, data, end;

	if (compose_control(name, &control, &control_size, err) < 0)
		return -1;
	/* Each member has an even size: tar archives have whole blocks. */
	data = at + 2 * AR_HEADER + (off_t)sizeof(version) - 1 + (off_t)control_size;
	if (pwrite_all(deb, magic, sizeof(magic) - 1, 0) < 0 ||
	    write_header(deb, "debian-binary", sizeof(version) - 1, at) < 0 ||
	    pwrite_all(deb, version, sizeof(version) - 1, at + AR_HEADER) < 0 ||
	    write_header(deb, "control.tar", control_size,
			 at + AR_HEADER + (off_t)sizeof(version) - 1) < 0 ||
	    pwrite_all(deb, control, control_size, data - (off_t)control_size) < 0 ||
	    lseek(deb, data + AR_HEADER, SEEK_SET) < 0)
		return cannot_write(NULL, err);
	if (compress_files(files, deb, err) < 0)
		return -1;
	end = lseek(deb, 0, SEEK_END);
	if (end < 0 ||
	    write_header(deb, "data.tar.zst", (uint64_t)(end - data) - AR_HEADER, data) < 0)
		return cannot_write(NULL, err);
	return end % 2 && pwrite_all(deb, "\n", 1, end) < 0 ? cannot_write(NULL, err) : 0;
}

/* Writes the draft, and fills in PIECE. */
static int piece_write_draft(int files, int deb, const char *name, struct piece_file *piece,
			     struct error **err)
{
	struct stat st;

	if (file_sha256(files, piece->sha256, err) < 0)
		return -1;
	if (*name)
		snprintf(piece->name, sizeof(piece->name), "%s", name);
	else
		name_piece(piece->sha256, piece->name);
	if (write_deb(files, deb, piece->name, err) < 0)
		return -1;
	if (fstat(deb, &st) < 0)
		return cannot_write(NULL, err);
	piece->size = (uint64_t)st.st_size;
	return file_sha256(deb, piece->sha256, err);
}

int piece_file_write(int files, int pool, const char *name, struct piece_file *piece,
		     struct error **err)
{
	_cleanup_close_ int deb =
		openat(pool, DRAFT, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	char hex[2 * SHA256_LEN + 1], file[sizeof(hex) + 4];

	if (deb < 0)
		return cannot_write(NULL, err);
	if (piece_write_draft(files, deb, name, piece, err) < 0) {
		unlinkat(pool, DRAFT, 0);
		return -1;
	}
	sha256_to_hex(piece->sha256, hex);
	snprintf(file, sizeof(file), "%s.deb", hex);
	return renameat(pool, DRAFT, pool, file) < 0 ? cannot_write(NULL, err) : 0;
}
