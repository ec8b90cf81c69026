/* rootlet install and uninstall: packages of an existing rootfs. */
#include <string.h>

#include "frontend/commands/change_line.h"
#include "frontend/commands/commands.h"

enum { OPTION_DRY_RUN = OPTION_OWN };

static const struct option_row install_rows[] = {
	CHANGE_ROWS,
	{ "--dry-run", NULL, OPTION_DRY_RUN, "change nothing; print what would change",
	  .once = true },
	QUIET_ROW,
	JSON_ROW(JSON_EVENTS),
	{ NULL },
};

/* As apt does: what has a slash is a path. */
static bool is_path(const char *word)
{
	return strchr(word, '/');
}

/* Splits the operands into names and paths, which are NULL-terminated. */
static void split(const struct parsed_line *line, const char **names, const char **debs)
{
	for (char *const *word = line->operands; *word; word++)
		*(is_path(*word) ? debs++ : names++) = *word;
}

static int command_install(const struct parsed_line *line)
{
	const size_t room = (size_t)line->operand_count + 1;
	/* NOLINTNEXTLINE: the size of a pointer is intended. */
	_cleanup_free_ const char **names = calloc(room, sizeof(*names));
	/* NOLINTNEXTLINE: the size of a pointer is intended. */
	_cleanup_free_ const char **debs = calloc(room, sizeof(*debs));
	struct change_request request = { .base = BASE_INSTALLED, .packages = names, .debs = debs };

	if (!names || !debs)
		return report_usage(line->name, "out of memory");
	split(line, names, debs);
	if (!*debs)
		request.debs = NULL;
	return change_run(line, &request, line_has(line, OPTION_DRY_RUN), EXIT_OK);
}

static int command_uninstall(const struct parsed_line *line)
{
	struct change_request request = {
		.base = BASE_INSTALLED,
		.removed = (const char *const *)line->operands,
	};

	return change_run(line, &request, line_has(line, OPTION_DRY_RUN), EXIT_OK);
}

const struct command install_command = {
	.name = "install",
	.summary = "install packages in a rootfs",
	.about = "Installs packages, with what they depend on, in a copy of the rootfs, which then "
		 "takes its place. Packages come from the archive that the rootfs was made from, "
		 "and are verified like those of rootlet create. \"a|b\" is the first of the two "
		 "that the archive has. An argument that contains a slash is the path of a "
		 ".deb file, which nobody has verified; a policy allows it to users with shell.",
	.statuses = "0 installed, or there already; " CHANGE_STATUSES,
	.rows = install_rows,
	.operands = "PACKAGE…",
	.run = command_install,
	.acts = true,
};

const struct command uninstall_command = {
	.name = "uninstall",
	.summary = "remove packages from a rootfs",
	.about = "Removes packages and their configuration from a copy of the rootfs, which then "
		 "takes its place. Dependencies that nothing needs any more, and that neither the "
		 "profile nor rootlet install asked for, go as well.",
	.statuses = "0 removed; " CHANGE_STATUSES,
	.rows = install_rows,
	.operands = "PACKAGE…",
	.run = command_uninstall,
	.acts = true,
};
