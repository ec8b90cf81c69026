#include "frontend/cli/install_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

#define INSTALL_MANAGERS 4
#define DEBIAN 0 /* also for systems that are in no row */
#define OS_RELEASE "/etc/os-release"
#define OS_RELEASE_LINE 512

struct install_system {
	const char *id;
	int manager;
};

#include "install_names.h"

#define INSTALL_WRITTEN "apt install "
#define REINSTALL_WRITTEN INSTALL_WRITTEN "--reinstall "

/* Returns the manager of the first of WORDS, "fedora" or "\"rhel centos\"", that has one, or -1. */
static int manager_of(char *words)
{
	char *state = NULL;

	for (char *word = strtok_r(words, "\"' \n", &state); word;
	     word = strtok_r(NULL, "\"' \n", &state))
		for (size_t i = 0; i < sizeof(install_systems) / sizeof(*install_systems); i++)
			if (strcmp(word, install_systems[i].id) == 0)
				return install_systems[i].manager;
	return -1;
}

static int find_manager(void)
{
	_cleanup_fclose_ FILE *in = fopen(OS_RELEASE, "re");
	char line[OS_RELEASE_LINE];
	int own = -1, like = -1;

	while (in && fgets(line, sizeof(line), in)) {
		if (strncmp(line, "ID=", 3) == 0)
			own = manager_of(line + 3);
		else if (strncmp(line, "ID_LIKE=", 8) == 0)
			like = manager_of(line + 8);
	}
	return own >= 0 ? own : like >= 0 ? like : DEBIAN;
}

static void put_name(FILE *out, const char *name, size_t length, int manager)
{
	for (size_t i = 0; i < sizeof(install_packages) / sizeof(*install_packages); i++)
		if (strlen(install_packages[i][DEBIAN]) == length &&
		    strncmp(install_packages[i][DEBIAN], name, length) == 0) {
			fputs(install_packages[i][manager], out);
			return;
		}
	fwrite(name, 1, length, out);
}

/* Writes the names at the start of TEXT; returns what follows. */
static const char *put_names(FILE *out, const char *text, int manager)
{
	size_t length;

	while ((length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-")) > 0) {
		put_name(out, text, length, manager);
		text += length;
		if (*text != ' ')
			break;
		fputc(*text++, out);
	}
	return text;
}

/* Writes the host's command for the one at the start of TEXT; returns what follows. */
static const char *put_command(FILE *out, const char *text, int manager)
{
	bool again = strncmp(text, REINSTALL_WRITTEN, strlen(REINSTALL_WRITTEN)) == 0;

	fputs(again ? reinstall_commands[manager] : install_commands[manager], out);
	return put_names(out, text + strlen(again ? REINSTALL_WRITTEN : INSTALL_WRITTEN), manager);
}

char *install_localize(const char *message)
{
	int manager = find_manager();
	char *text = NULL;
	size_t size;
	FILE *out;

	if (manager == DEBIAN)
		return strdup(message);
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	while (*message) {
		if (strncmp(message, INSTALL_WRITTEN, strlen(INSTALL_WRITTEN)) == 0)
			message = put_command(out, message, manager);
		else
			fputc(*message++, out);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
