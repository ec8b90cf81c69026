/* rootlet lock: writes what a rootfs was made of, for `rootlet create --lock`. */
#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
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
	JSON_ROW("with --output: print a JSON object about the lock"),
	{ NULL },
};

static json_t *lock_describe(const struct manifest *m, const char *path, const char *output)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I}", "path", json_text(path), "output",
			 json_text(output), "release", json_text(m->suite), "generation",
			 (json_int_t)m->generation, "packages", (json_int_t)m->package_count);
}

static int lock_write(const struct parsed_line *line, struct error **err)
{
	_cleanup_(opened_rootfs_clear) struct opened_rootfs rootfs = NOT_OPENED;
	const char *output = line_value(line, OPTION_OUTPUT);
	_cleanup_free_ char *text = NULL;

	if (line_open(line, &rootfs, err) < 0 ||
	    lock_compose(rootfs.manifest, rootfs.path, &text, err) < 0 ||
	    output_write(output, text, err) < 0)
		return -1;
	if (line_has(line, OPTION_JSON))
		document_print(lock_describe(rootfs.manifest, rootfs.path, output));
	return 0;
}

static int command_lock(const struct parsed_line *line)
{
	const bool json = line_has(line, OPTION_JSON);
	_cleanup_error_ struct error *err = NULL;
	int status;

	if (json && !line_has(line, OPTION_OUTPUT))
		return report_usage(line->name, "--json needs --output: without it, the lock "
						"itself goes to standard output");
	interrupt_catch();
	if (lock_write(line, &err) == 0)
		return EXIT_OK;
	status = report_error("lock", err);
	return json ? document_failure(err, status) : status;
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
