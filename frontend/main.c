/* The rootlet command line. Each command is a row of the table and has a file of its own. */
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/commands/commandline.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/complete.h"
#include "lib/standard_descriptors.h"

static int command_help(int argc, char **argv);

static const char help_help[] =
	"usage: rootlet help [COMMAND]\n"
	"\n"
	"Shows how to use a command, or lists the commands. For more, see the manuals: man\n"
	"rootlet, man rootlet-create and so on.\n"
	"\n"
	"  COMMAND       one of those that rootlet help lists\n"
	"  --color WHEN  auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: 0 shown; 2 no such command.\n";

static const struct option help_options[] = { { "help", no_argument, NULL, 'h' },
					      { NULL, 0, NULL, 0 } };

static const struct command commands[] = {
	{ "create", "make a root filesystem for kernel testing", command_create, create_help,
	  create_options, .acts = true },
	{ "check", "check whether a rootfs is ready", command_check, check_help, check_options },
	{ "list", "list every rootfs in the store", command_list, list_help, list_options },
	{ "delete", "delete a rootfs completely", command_delete, delete_help, delete_options,
	  .acts = true },
	{ "shell", "run a command in a jail inside a rootfs", command_shell, shell_help,
	  shell_options, true },
	{ "chroot", "the same as shell", command_shell, shell_help, shell_options, true },
	{ "run", "boot a kernel on a rootfs and run a command in it", command_run, run_help,
	  run_options, true },
	{ "fstests", "run fstests on a kernel and report the results", command_fstests,
	  fstests_help, fstests_options, true, true },
	{ "runs", "show, compare and delete results of fstests", command_runs, runs_help,
	  runs_options },
	{ "profiles", "show and check the profiles that a rootfs is created with", command_profiles,
	  profiles_help, profiles_options },
	{ "cache", "list, verify and prune the cache", command_cache, cache_help, cache_options },
	{ "doctor", "report what this host has and lacks", command_doctor, doctor_help,
	  doctor_options },
	{ "policy", "check and show what an administrator allows", command_policy, policy_help,
	  policy_options },
	{ "audit", "show or verify the audit log", command_audit, audit_help, audit_options },
	{ "mcp", "serve these commands as tools over the Model Context Protocol", command_mcp,
	  mcp_help, mcp_options },
	{ "help", "show how to use a command", command_help, help_help, help_options },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char head[] =
	"usage: rootlet COMMAND [OPTION…]\n"
	"       rootlet COMMAND --help | help COMMAND | --help | --version\n\n"
	"Creates root filesystems for kernel testing without sudo, and boots kernels on them.\n\n"
	"Commands:\n";

static const char tail[] =
	"\nOptions of every command:\n"
	"  --color WHEN  auto (default: on a terminal, unless NO_COLOR is set), always or never\n"
	"  --help        show how to use the command\n"
	"\nExit status of every command but fstests:\n"
	"  0    done; check: ready\n"
	"  1    failed; check: not ready\n"
	"  2    the command line or a profile is wrong\n"
	"  3    a signature, a hash or a date is wrong\n"
	"  4    the mirror does not answer, or sends something wrong\n"
	"  5    the host lacks something: see rootlet doctor\n"
	"  6    it already exists, or is in use\n"
	"  7    the disk is full\n"
	"  124  run: the --timeout expired\n"
	"  125  run: the VM failed\n"
	"  130  interrupted\n"
	"shell and run return the status of the command that they ran. For fstests, 3, 4 and 5\n"
	"have other meanings: see rootlet fstests --help.\n";

/* The caller frees the text. NULL if out of memory. */
static char *compose_help(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(head, out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs(tail, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int command_unknown(const char *name)
{
	_cleanup_free_ char *copy = strdup(name);
	const char *word = copy ? text_clean(copy) : "";
	const char *names[COMMAND_COUNT], *hint;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	hint = suggest(name, names, COMMAND_COUNT);
	if (hint)
		fprintf(stderr, "rootlet: no command \"%s\"; did you mean: rootlet %s\n", word,
			hint);
	else
		fprintf(stderr, "rootlet: no command \"%s\"; see: rootlet --help\n", word);
	return EXIT_USAGE;
}

static int command_help(int argc, char **argv)
{
	_cleanup_free_ char *text = compose_help();
	const struct command *command;

	if (argc > 2)
		return report_usage(argv[0], "unexpected argument: \"%.80s\"", argv[2]);
	if (argc < 2) {
		style_print(stdout, STYLE_PLAIN, "%s", text ? text : head);
		return EXIT_OK;
	}
	command = command_find(argv[1]);
	if (!command)
		return command_unknown(argv[1]);
	style_print(stdout, STYLE_PLAIN, "%s", command->help);
	return EXIT_OK;
}

/* Sets COMMAND as soon as it is known, for finish_output(). */
static int main_run(int argc, char **argv, const struct command **command)
{
	_cleanup_free_ char *help = compose_help();
	int status = commandline_scan_global(help ? help : head, argc, argv);

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
	*command = command_find(argv[0]);
	if (!*command)
		return command_unknown(argv[0]);
	if ((*command)->options)
		status = commandline_scan(*command, &argc, argv);
	return status >= 0 ? status : (*command)->main(argc, argv);
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
	return command && command->main == command_fstests ? EXIT_HOST : EXIT_FAILED;
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
