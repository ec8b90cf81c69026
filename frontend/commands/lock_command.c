/* rootlet lock: writes what a rootfs was made of, for `rootlet create --lock`. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/interrupt.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/store.h"
#include "lib/write_all.h"

enum { OPTION_OUTPUT = OPTION_OWN };

static const struct option_row lock_rows[] = {
	ROOTFS_ROWS,
	{ "--output", "FILE", OPTION_OUTPUT, "write the lock to FILE (default: standard output)" },
	{ NULL },
};

static char *lock_of_rootfs(const char *name, const char *path, struct error **err)
{
	_cleanup_(helper_stop) struct helper *helper = NULL;
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	_cleanup_close_ int directory = -1, rootfs = -1;
	_cleanup_free_ char *absolute = NULL;
	char *text = NULL;

	if (store_find(name, path, &directory, &absolute, err) < 0 ||
	    helper_start("lock", NULL, &helper, err) < 0 ||
	    store_open(helper, directory, absolute, &rootfs, NULL, err) < 0 ||
	    manifest_read(helper, rootfs, &manifest, err) < 0 ||
	    lock_compose(manifest, absolute, &text, err) < 0)
		return NULL;
	return text;
}

/* An existing file is replaced at once, and only by a complete one. */
static int lock_replace(const char *file, const char *text, struct error **err)
{
	_cleanup_free_ char *draft = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&draft, "%s.XXXXXX", file) < 0) {
		draft = NULL;
		return error_no_memory(err);
	}
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", file);
	if (fchmod(fd, 0644) == 0 && write_all(fd, text, strlen(text)) == 0 &&
	    write_all(fd, "\n", 1) == 0 && fsync(fd) == 0 && rename(draft, file) == 0)
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot write %s", file);
	unlink(draft);
	return -1;
}

static int lock_write(const struct parsed_line *line, struct error **err)
{
	const char *file = line_value(line, OPTION_OUTPUT);
	_cleanup_free_ char *text =
		lock_of_rootfs(line_value(line, OPTION_NAME), line_value(line, OPTION_PATH), err);

	if (!text)
		return -1;
	if (file)
		return lock_replace(file, text, err);
	puts(text);
	return 0;
}

static int command_lock(const struct parsed_line *line)
{
	_cleanup_error_ struct error *err = NULL;

	interrupt_catch();
	return lock_write(line, &err) < 0 ? report_error("lock", err) : EXIT_OK;
}

const struct command lock_command = {
	.name = "lock",
	.summary = "write down what a rootfs was made of",
	.about = "Writes a lock file: the packages of a rootfs with their versions and hashes, the "
		 "release files that signed them, and its profile, engine and date. From it, "
		 "rootlet create --lock makes the same rootfs again, on any host.",
	.statuses = "0 written; 1 failed; 2 wrong command line, or an older rootlet made the "
		    "rootfs.",
	.rows = lock_rows,
	.run = command_lock,
};
