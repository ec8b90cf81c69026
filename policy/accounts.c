#include "policy/accounts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define GETENT "/usr/bin/getent"
#define GETENT_NONE 2 /* getent(1)'s exit status if no database has the key */

/* name:password:id, and for a user :gid:comment:home */
enum { NAME, PASSWORD, ID, GID, COMMENT, HOME, FIELDS };

/* Comments, and the C library's old marks that refer to other databases (from before
 * nsswitch.conf): neither users nor groups. */
static bool is_mark(const char *name)
{
	return strchr("+-#", *name);
}

/* Reads F until the first entry that matches KEY, or to the end. */
static bool read_entries(FILE *f, const char *database, const char *key, struct host_account *found)
{
	_cleanup_free_ char *line = NULL;
	int by = strcmp(database, ACCOUNTS_USERS) == 0 ? ID : NAME;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char *field[FIELDS], *rest = line;

		for (int i = 0; i < FIELDS; i++)
			field[i] = strsep(&rest, ":\n");
		if (is_mark(line) || !field[ID] || !*field[ID] ||
		    field[ID][strspn(field[ID], "0123456789")] || strcmp(field[by], key) != 0 ||
		    strlen(line) >= sizeof(found->name))
			continue;
		*found = (struct host_account){ .id = (uint32_t)strtoul(field[ID], NULL, 10) };
		snprintf(found->name, sizeof(found->name), "%s", field[NAME]);
		if (field[HOME] && *field[HOME] == '/' && strlen(field[HOME]) < sizeof(found->home))
			snprintf(found->home, sizeof(found->home), "%s", field[HOME]);
		return true;
	}
	return false;
}

static _Noreturn void become_getent(const char *database, const char *key,
				    accounts_isolate *isolate, int out)
{
	const char *const argv[] = { "getent", "--", database, key, NULL };
	char *environment[] = { NULL };

	if ((isolate && isolate() < 0) || dup2(out, STDOUT_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(126);
	execve(GETENT, (char **)(uintptr_t)argv, environment);
	_exit(127);
}

/* Returns as accounts_find() does. */
static int ask_getent(const char *database, const char *key, accounts_isolate *isolate,
		      struct host_account *found, struct error **err)
{
	_cleanup_close_ int answer = memfd_create("getent", MFD_CLOEXEC);
	pid_t child = answer < 0 ? -1 : fork();
	_cleanup_fclose_ FILE *in = NULL;
	int status;

	if (child < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start " GETENT);
	if (child == 0)
		become_getent(database, key, isolate, answer);
	if (RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot wait for " GETENT);
	if (lseek(answer, 0, SEEK_SET) == 0 && (in = fdopen(answer, "r")))
		steal_fd(&answer);
	if (status == 0 && read_entries(in, database, key, found))
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == GETENT_NONE)
		return 0;
	/* Not "none": a rule that names somebody must not be skipped because a server is down. */
	return error_set(err, ERR_HOST,
			 "cannot determine whether %s exists in the host's database %s: " GETENT
			 " failed; try: getent %s %s",
			 key, database, database, key);
}

int accounts_find(const char *database, const char *key, accounts_isolate *isolate,
		  struct host_account *found, struct error **err)
{
	const char *file = strcmp(database, ACCOUNTS_USERS) == 0 ? "/etc/passwd" : "/etc/group";
	_cleanup_fclose_ FILE *f = fopen(file, "re");

	if (read_entries(f, database, key, found))
		return 1;
	return ask_getent(database, key, isolate, found, err);
}
