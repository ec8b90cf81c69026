/* frontend/archive/decompress.c, frontend/archive/deb_files.c, frontend/vm/kernel_features.c:
 * rootlet never starts a program for a file it reads, whatever the file begins with. libarchive
 * would look for lrzip and others in PATH, so this test puts programs with these names there, which
 * report that they were started. */
#include "frontend/archive/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/archive/deb_files.h"
#include "frontend/vm/kernel_features.h"

#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

static char dir[SCRATCH_SIZE] = "decompress";
static const char *const programs[] = { "lrzip", "grzip", "lzop",  "lzip", "zstd",    "lz4",
					"xz",	 "gzip",  "bzip2", "lzma", "compress" };
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

/* Magic bytes of files for which libarchive has filters. */
static const struct beginning {
	const char *name, *bytes;
	size_t size;
} beginnings[] = {
	{ "lrzip", "LRZI\0\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0", 24 },
	{ "grzip", "GRZipII\0\2\4:)", 12 },
	{ "lzop", "\x89LZO\0\r\n\x1a\n\x10\x40\x20\xa0\x09\x40\1\5\3\0\0\1", 21 },
	{ "lzip", "LZIP\1\x0c", 6 },
	{ "compress", "\x1f\x9d\x90", 3 },
	{ "uuencode", "begin 644 x\n", 12 },
	{ "rpm", "\xed\xab\xee\xdb\3\0\0\0", 8 },
	{ "broken gzip", "\x1f\x8b\x08\0\0\0\0\0\0\0", 10 },
	{ "broken xz",
	  "\xfd"
	  "7zXZ\0\0\4",
	  8 },
	{ "broken zstd", "\x28\xb5\x2f\xfd\x24", 5 },
	{ "broken lz4", "\x04\x22\x4d\x18\x64", 5 },
	{ "broken lzma", "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", 14 },
	{ "broken bzip2", "BZh91AY&SY", 10 },
};
#define BEGINNINGS (sizeof(beginnings) / sizeof(*beginnings))

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool write_bytes(const char *name, const void *data, size_t size, mode_t mode)
{
	_cleanup_close_ int fd =
		open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	return fd >= 0 && write_all(fd, data, size) == 0;
}

/* Whether one of the programs was started since the last call. */
static bool was_started(void)
{
	return unlink(path_of("started")) == 0;
}

/* BYTES and some more, in the descriptor of a file at its begin. */
static int file_of(const struct beginning *b)
{
	char data[1024] = "";
	_cleanup_close_ int fd = memfd_create(b->name, MFD_CLOEXEC);

	memcpy(data, b->bytes, b->size);
	if (fd < 0 || write_all(fd, data, sizeof(data)) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return steal_fd(&fd);
}

static void make_programs(void)
{
	char script[256];
	int size = snprintf(script, sizeof(script), "#!/bin/sh\n>%s/started\n", dir);
	bool good = true;

	for (size_t i = 0; i < PROGRAMS; i++)
		good = good && write_bytes(programs[i], script, (size_t)size, 0755);
	tap_check(good && setenv("PATH", dir, 1) == 0, "programs of these names are in PATH");
}

/* The trap works: libarchive starts programs if no filters are named. */
static void check_trap(void)
{
	_cleanup_close_ int fd = file_of(&beginnings[0]);
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_fd(a, fd, 4096) == ARCHIVE_OK)
		archive_read_next_header(a, &entry);
	archive_read_free(a);
	tap_check(was_started(), "libarchive by itself starts lrzip");
}

static void check_decompress(const struct beginning *b)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = file_of(b);
	size_t size;
	_cleanup_free_ char *data = decompress(fd, 1 << 20, &size, &err);

	tap_check(fd >= 0 && (data || err) && !was_started(), "decompress: %s", b->name);
}

ssize_t __real_pread64(int fd, void *data, size_t size, off64_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off64_t offset);
/* The same with _FORTIFY_SOURCE. */
ssize_t __wrap___pread64_chk(int fd, void *data, size_t size, off64_t offset, size_t room);

static enum { READ_WELL, READ_FAILS, READ_SHORT } reading;

ssize_t __wrap_pread64(int fd, void *data, size_t size, off64_t offset)
{
	if (reading == READ_WELL)
		return __real_pread64(fd, data, size, offset);
	errno = EIO;
	return reading == READ_FAILS ? -1 : 0;
}

ssize_t __wrap___pread64_chk(int fd, void *data, size_t size, off64_t offset, size_t room)
{
	return size <= room ? __wrap_pread64(fd, data, size, offset) : -1;
}

/* What the confined process sent cannot be read. */
static void check_reading(void)
{
	static const struct beginning plain = { "a plain file", "text", 4 };

	for (reading = READ_FAILS; reading <= READ_SHORT; reading++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_close_ int fd = file_of(&plain);
		size_t size;
		_cleanup_free_ char *data = decompress(fd, 1 << 20, &size, &err);

		tap_check(!data && err && err->code == ERR_SYSTEM && err->number == EIO,
			  "a read that %s is reported as such: %s",
			  reading == READ_FAILS ? "fails" : "ends early", error_text(err));
	}
	reading = READ_WELL;
}

static char *place(const char *path)
{
	return strdup(path);
}

/* Writes a .deb whose data.tar begins with these bytes. */
static void check_deb(const struct beginning *b)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int into = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char deb[8 + 60 + 1024] = "!<arch>\n";

	snprintf(deb + 8, 61, "%-16s%-12d%-6d%-6d%-8d%-10d`\n", "data.tar", 0, 0, 0, 100644, 1024);
	memset(deb + 68, 0, 1024);
	memcpy(deb + 68, b->bytes, b->size);
	tap_check(write_bytes("x.deb", deb, sizeof(deb), 0644), "%s is in a .deb", b->name);
	deb_files_unpack(path_of("x.deb"), into, place, &err);
	tap_check(!was_started(), "a .deb: %s", b->name);
}

/* Writes a bzImage whose payload begins with these bytes: Documentation/arch/x86/boot.rst. */
static void check_kernel(const struct beginning *b)
{
	static uint8_t image[4096];
	char path[256], version[] = "6.1";
	struct kernel kernel = { .image = path, .version = version };
	struct kernel_features *features;

	memset(image, 0, sizeof(image));
	memcpy(image + 0x202, "HdrS", 4);
	image[0x1f1] = 1;
	image[0x24c + 1] = 4; /* 1024 bytes */
	memcpy(image + 1024, b->bytes, b->size);
	tap_check(write_bytes("bzImage", image, sizeof(image), 0644), "%s is in a kernel", b->name);
	snprintf(path, sizeof(path), "%s", path_of("bzImage"));
	features = kernel_features_read(&kernel);
	tap_check(features && !was_started(), "a kernel's payload: %s", b->name);
	kernel_features_free(&features);
	memcpy(image, b->bytes, b->size);
	write_bytes("bzImage", image, sizeof(image), 0644);
	features = kernel_features_read(&kernel);
	tap_check(features && !was_started(), "a kernel image: %s", b->name);
	kernel_features_free(&features);
}

int main(void)
{
	if (!scratch_make(dir))
		return 1;
	make_programs();
	check_trap();
	for (size_t i = 0; i < BEGINNINGS; i++) {
		check_decompress(&beginnings[i]);
		check_deb(&beginnings[i]);
		check_kernel(&beginnings[i]);
	}
	check_reading();
	for (size_t i = 0; i < PROGRAMS; i++)
		unlink(path_of(programs[i]));
	unlink(path_of("x.deb"));
	unlink(path_of("bzImage"));
	tap_check(rmdir(dir) == 0, "nothing else remains");
	return tap_done();
}
