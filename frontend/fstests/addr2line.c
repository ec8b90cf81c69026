#include "frontend/fstests/addr2line.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/confined_tool.h"

#define OUTPUT_MOST (4u << 20)
#define SECONDS_MOST 120	       /* a vmlinux with full debug information: seconds */
#define MEMORY_MOST ((rlim_t)16 << 30) /* the same: up to 2 GiB */

static int addr2line_write(int in, const uint64_t *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (dprintf(in, "0x%" PRIx64 "\n", addresses[i]) < 0)
			return -1;
	return lseek(in, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* "fs/ext4/inode.c:12 (discriminator 3)"; "??:0" or "file:?" if unknown. */
static char *addr2line_parse(char *line)
{
	char *colon;

	line[strcspn(line, " ")] = '\0';
	colon = strrchr(line, ':');
	if (!colon || line[0] == '?' || colon[1] < '1' || colon[1] > '9')
		return NULL;
	return strdup(text_clean(line));
}

static int addr2line_read(int out, size_t count, char **lines, struct error **err)
{
	_cleanup_free_ char *text = calloc(1, OUTPUT_MOST);
	char *rest = NULL, *line;
	ssize_t size = text ? pread(out, text, OUTPUT_MOST - 1, 0) : -1;
	size_t i = 0;

	if (size < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read addr2line's output");
	for (line = strtok_r(text, "\n", &rest); line && i < count;
	     line = strtok_r(NULL, "\n", &rest))
		lines[i++] = addr2line_parse(line);
	return 0;
}

int addr2line(const char *path, const char *section, const uint64_t *addresses, size_t count,
	      char **lines, struct error **err)
{
	_cleanup_close_ int in = memfd_create("addresses", MFD_CLOEXEC);
	_cleanup_close_ int out = memfd_create("lines", MFD_CLOEXEC);
	const char *argv[] = { "addr2line", "-e", path, section ? "-j" : NULL, section, NULL };
	const struct confined_tool tool = {
		.argv = argv,
		.places = { { "/etc/ld.so.cache", -1, LANDLOCK_ACCESS_FS_READ_FILE },
			    { path, -1, LANDLOCK_ACCESS_FS_READ_FILE } },
		.seconds = SECONDS_MOST,
		.memory = MEMORY_MOST,
		.file = OUTPUT_MOST,
	};
	int status;

	for (size_t i = 0; i < count; i++)
		lines[i] = NULL;
	if (in < 0 || out < 0 || addr2line_write(in, addresses, count) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start addr2line");
	status = confined_tool_run(&tool, (int[]){ in, out, -1 }, err);
	if (status < 0)
		return -1;
	if (status == 127)
		return error_set(
			err, ERR_MISSING,
			"no source lines: addr2line is missing; fix: apt install binutils");
	if (status != 0)
		return error_set(err, ERR_SYSTEM, "no source lines: addr2line failed on %s (%d)",
				 path, status);
	return addr2line_read(out, count, lines, err);
}
