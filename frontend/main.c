/* rootlet: the command line. Every command is one row of the table and one file of its own. */
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/command.h"
#include "frontend/text.h"

static const struct command commands[] = {
	{ "create", "make a root filesystem for kernel testing", command_create },
	{ "check", "tell whether a rootfs is ready, and if not, why", command_check },
	{ "list", "show every rootfs in the store", command_list },
	{ "delete", "remove a rootfs completely", command_delete },
	{ "shell", "run a command inside a rootfs, for looking around", command_shell },
	{ "chroot", "another name of shell", command_shell },
	{ "run", "boot a kernel on a rootfs and run a command in it", command_run },
	{ "doctor", "tell what this host has and lacks", command_doctor },
	{ "policy", "tell what an administrator allows, and what is compiled in", command_policy },
	{ "audit", "show or verify the record of requests", command_audit },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fputs("usage: rootlet COMMAND [OPTION…]\n"
	      "       rootlet COMMAND --help | help COMMAND | --help | --version\n\n"
	      "Makes root filesystems for kernel testing, without sudo, and boots kernels on\n"
	      "them.\n\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\nExit status of every command:\n"
	      "  0    done; check: ready\n"
	      "  1    failed; check: not ready\n"
	      "  2    the command line or a profile is wrong\n"
	      "  3    a signature, a hash or a date is wrong\n"
	      "  4    the mirror does not answer, or wrongly\n"
	      "  5    the host lacks something: see rootlet doctor\n"
	      "  6    it exists already, or is in use\n"
	      "  7    the disk is full\n"
	      "  130  interrupted\n"
	      "shell and run return the status of the command they ran; run also 124 for its\n"
	      "--timeout and 125 where the VM failed.\n",
	      out);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool same_start(const char *a, const char *b, size_t least)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n >= least;
}

static int command_unknown(const char *name)
{
	_cleanup_free_ char *copy = strdup(name);
	const char *word = copy ? text_clean(copy) : "";
	const char *hint = NULL;

	for (size_t i = 0; i < COMMAND_COUNT && !hint; i++)
		if (same_start(name, commands[i].name, 2))
			hint = commands[i].name;
	if (hint)
		fprintf(stderr, "rootlet: no command \"%s\"; did you mean: rootlet %s\n", word,
			hint);
	else
		fprintf(stderr, "rootlet: no command \"%s\"; see: rootlet --help\n", word);
	return EXIT_USAGE;
}

static int help_about(const char *name)
{
	const struct command *command = command_find(name);
	char help[] = "--help";
	char word[16];

	if (!command)
		return command_unknown(name);
	snprintf(word, sizeof(word), "%s", command->name);
	return command->main(2, (char *[]){ word, help, NULL });
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct command *command;

	setlocale(LC_CTYPE, "");
	if (!name) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("rootlet " ROOTLET_VERSION);
		return EXIT_OK;
	}
	if (strcmp(name, "help") == 0 && argc > 2)
		return help_about(argv[2]);
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	command = command_find(name);
	if (!command)
		return command_unknown(name);
	return command->main(argc - 1, argv + 1);
}
