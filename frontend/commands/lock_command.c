/* rootlet lock: writes what a rootfs was made of, for `rootlet create --lock`. */
#include "frontend/cli/directory.h"
#include "frontend/cli/interrupt.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/manifest_line.h"
#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/store.h"

enum { OPTION_OUTPUT = OPTION_OWN };

static const struct option_row lock_rows[] = {
	ROOTFS_ROWS,
	{ "--output", "FILE", OPTION_OUTPUT, "write the lock to FILE (default: standard output)",
	  .once = true },
	{ NULL },
};

static int lock_write(const struct parsed_line *line, struct error **err)
{
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;

	if (line_manifest(line, &manifest, &path, err) < 0 ||
	    lock_compose(manifest, path, &text, err) < 0)
		return -1;
	return output_write(line_value(line, OPTION_OUTPUT), text, err);
}

static int command_lock(const struct parsed_line *line)
{
	_cleanup_error_ struct error *err = NULL;

	interrupt_catch();
	return lock_write(line, &err) < 0 ? report_error("lock", err) : EXIT_OK;
}

const struct command lock_command = {
	.name = "lock",
	.summary = "record exactly what a rootfs is made of",
	.about = "Writes a lock file: the packages of a rootfs with their versions and hashes, the "
		 "release files that signed them, and its profile, engine and date. From it, "
		 "rootlet create --lock makes the same rootfs again, on any host.",
	.statuses = "0 written; 1 failed; 2 wrong command line, or an older rootlet made the "
		    "rootfs.",
	.rows = lock_rows,
	.run = command_lock,
};
