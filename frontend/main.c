/* The rootlet command line. Each command has a file of its own, and is listed here. */
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/commands/cluster_line.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/complete.h"
#include "frontend/commands/config_print.h"
#include "frontend/commands/help_text.h"
#include "frontend/commands/page_command.h"
#include "lib/standard_descriptors.h"

static int command_help(const struct parsed_line *line);
static int command_config(const struct parsed_line *line);

static const struct option_row config_rows[] = {
	JSON_ROW("print a JSON object"),
	{ NULL },
};

static const struct command config_command = {
	.name = "config",
	.summary = "show the defaults of options, and where they are set",
	.about = "Prints every option that has a default, with its value and where that comes "
		 "from: a line of the configuration file, ~/.config/rootlet/config, or built-in. "
		 "In the file, a section such as [run] is for one command, [all] for every "
		 "command; a key is an option without its dashes. The command line wins over it.",
	.statuses = "0 shown; 2 the file has a mistake, or others can write to it.",
	.rows = config_rows,
	.run = command_config,
};

static const struct command help_command = {
	.name = "help",
	.summary = "show how to use a command",
	.about = "Shows how to use a command, or lists the commands. For more, see the manuals: "
		 "man rootlet, man rootlet-create and so on.",
	.statuses = "0 shown; 2 no such command.",
	.operands = "[COMMAND]",
	.run = command_help,
};

static const struct command *const commands[] = {
	&create_command,	 &check_command,   &list_command,
	&delete_command,	 &install_command, &uninstall_command,
	&upgrade_command,	 &lock_command,	   &export_command,
	&verify_command,	 &publish_command, &shell_command,
	&chroot_command,	 &run_command,	   &fstests_command,
	&bisect_command,	 &runs_command,	   &deps_command,
	&configurations_command, &kconfig_command, &profiles_command,
	&cache_command,		 &doctor_command,  &policy_command,
	&audit_command,		 &config_command,  &mcp_command,
	&help_command,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char head[] =
	"usage: rootlet COMMAND [OPTION…]\n"
	"       rootlet COMMAND --help | help COMMAND | --help | --version\n\n"
	"Creates root filesystems for kernel testing without sudo, and boots kernels on\n"
	"them.\n\n"
	"Commands:\n";

static const char tail[] =
	"With auto, text has colours on a terminal, unless NO_COLOR is set.\n"
	"\nExit status of every command but fstests:\n"
	"  0    done; check: ready\n"
	"  1    failed; check: not ready\n"
	"  2    the command line, a profile or the configuration is wrong\n"
	"  3    a signature, a hash or a date is wrong\n"
	"  4    the mirror does not answer, or sends something wrong\n"
	"  5    the host lacks something: see rootlet doctor\n"
	"  6    it already exists, or is in use\n"
	"  7    the disk is full\n"
	"  124  run: the --timeout expired\n"
	"  125  run: the VM failed\n"
	"  130  interrupted\n"
	"shell and run return the status of the command that they ran. For fstests, 3, 4\n"
	"and 5 have other meanings: see rootlet fstests --help.\n";

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int command_unknown(const char *name)
{
	_cleanup_free_ char *copy = strdup(name);
	const char *word = copy ? text_clean(copy) : "";
	const char *names[COMMAND_COUNT], *hint;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i]->name;
	hint = suggest(name, names, COMMAND_COUNT);
	if (hint)
		fprintf(stderr, "rootlet: no command \"%s\"; did you mean: rootlet %s\n", word,
			hint);
	else
		fprintf(stderr, "rootlet: no command \"%s\"; see: rootlet --help\n", word);
	return EXIT_USAGE;
}

static int command_help(const struct parsed_line *line)
{
	const char *name = line->operands[0];
	const struct command *command = name ? command_find(name) : NULL;
	_cleanup_free_ char *text = NULL;

	if (name && !command)
		return command_unknown(name);
	text = command ? help_compose(command)
		       : help_compose_all(head, commands, COMMAND_COUNT, tail);
	style_print(stdout, STYLE_PLAIN, "%s", text ? text : head);
	return EXIT_OK;
}

static int command_config(const struct parsed_line *line)
{
	return config_print(commands, COMMAND_COUNT, line_has(line, OPTION_JSON));
}

/* Sets COMMAND as soon as it is known, for finish_output(). */
static int main_run(int argc, char **argv, const struct command **command)
{
	_cleanup_free_ char *help = help_compose_all(head, commands, COMMAND_COUNT, tail);
	_cleanup_(defaults_clear) struct defaults defaults = { 0 };
	_cleanup_(parsed_line_clear) struct parsed_line line = { 0 };
	int status = commandline_parse_global(help ? help : head, argc, argv);

	if (status >= 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		style_print(stderr, STYLE_PLAIN, "%s", help ? help : head);
		return EXIT_USAGE;
	}
	if (strcmp(argv[0], COMPLETE_COMMAND) == 0)
		return complete(commands, COMMAND_COUNT, argc - 1, argv + 1);
	if (strcmp(argv[0], PAGE_COMMAND) == 0)
		return page_command(argc - 1, argv + 1);
	if (strcmp(argv[0], GROUPS_COMMAND) == 0)
		return groups_command(argc - 1, argv + 1);
	if (strcmp(argv[0], TASK_COMMAND) == 0)
		return cluster_task(argc - 1, argv + 1);
	*command = command_find(argv[0]);
	if (!*command)
		return command_unknown(argv[0]);
	defaults_read(&defaults, commands, COMMAND_COUNT);
	status = commandline_parse(*command, argc, argv, &defaults, &line);
	return status >= 0 ? status : (*command)->run(&line);
}

/* A command fails if its output cannot be written. For fstests, status 1 would mean that tests
 * failed. */
static int finish_output(const struct command *command, int status, bool open_at_start)
{
	_cleanup_error_ struct error *err = NULL;
	bool failed = ferror(stdout) != 0;

	/* stdio has dropped the output and the errno: write one more byte to get the errno again.
	 */
	if (failed)
		putchar('\n');
	errno = 0;
	failed = fclose(stdout) != 0 || failed;
	if (!failed || (!open_at_start && command && command->acts))
		return status;
	if (errno)
		error_errno(&err, ERR_SYSTEM, "cannot write to standard output");
	else
		error_set(&err, ERR_SYSTEM, "cannot write to standard output");
	report_error(command ? command->name : NULL, err);
	if (status != EXIT_OK)
		return status;
	return command == &fstests_command ? EXIT_HOST : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	bool open_at_start = standard_descriptors_open();
	const struct command *command = NULL;
	int status;

	setlocale(LC_CTYPE, "");
	status = main_run(argc, argv, &command);
	return finish_output(command, status, open_at_start);
}
