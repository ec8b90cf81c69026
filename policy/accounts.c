#include "policy/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define GETENT "/usr/bin/getent"
#define GETENT_NONE 2 /* its exit status for a key that no database has; getent(1) */

/* Reads entries to the end of F, and keeps the first that matches. */
typedef bool entry_reader(FILE *f, const void *key, void *found);

/* The C library's own marks of other databases, from before nsswitch.conf: no users and no groups.
 */
static bool is_mark(const char *name)
{
	return *name == '+' || *name == '-';
}

static bool read_users(FILE *f, const void *key, void *found)
{
	const uid_t *uid = key;
	struct host_user *user = found;
	const struct passwd *entry;

	while ((entry = fgetpwent(f))) {
		if (entry->pw_uid != *uid || is_mark(entry->pw_name) ||
		    strlen(entry->pw_name) >= sizeof(user->name))
			continue;
		*user = (struct host_user){ 0 };
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
		if (*entry->pw_dir == '/' && strlen(entry->pw_dir) < sizeof(user->home))
			snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
		return true;
	}
	return false;
}

static bool read_groups(FILE *f, const void *key, void *found)
{
	const char *name = key;
	gid_t *gid = found;
	const struct group *entry;

	while ((entry = fgetgrent(f)))
		if (!is_mark(entry->gr_name) && strcmp(entry->gr_name, name) == 0) {
			*gid = entry->gr_gid;
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

/* Returns as accounts_find_user() does. */
static int ask_getent(const char *database, const char *key, accounts_isolate *isolate,
		      entry_reader *reader, const void *wanted, void *found, struct error **err)
{
	/* No pipe: fgetpwent(3) wants to seek. */
	_cleanup_close_ int answer = memfd_create("getent", MFD_CLOEXEC);
	_cleanup_fclose_ FILE *in = NULL;
	bool matches;
	int status;
	pid_t child;

	if (answer < 0 || (child = fork()) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start " GETENT);
	if (child == 0)
		become_getent(database, key, isolate, answer);
	if (RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot wait for " GETENT);
	if (lseek(answer, 0, SEEK_SET) == 0 && (in = fdopen(answer, "r")))
		steal_fd(&answer);
	matches = in && reader(in, wanted, found);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && matches)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == GETENT_NONE)
		return 0;
	/* Not "none": a rule that names somebody must not be passed over because a server is down.
	 */
	return error_set(err, ERR_HOST,
			 "cannot tell whether the host has %s in its database %s: " GETENT
			 " failed; try: getent %s %s",
			 key, database, database, key);
}

static int find(const char *file, const char *database, const char *key, accounts_isolate *isolate,
		entry_reader *reader, const void *wanted, void *found, struct error **err)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");

	if (f && reader(f, wanted, found))
		return 1;
	return ask_getent(database, key, isolate, reader, wanted, found, err);
}

int accounts_find_user(uid_t uid, accounts_isolate *isolate, struct host_user *user,
		       struct error **err)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", uid);
	return find("/etc/passwd", "passwd", key, isolate, read_users, &uid, user, err);
}

int accounts_find_group(const char *name, accounts_isolate *isolate, gid_t *gid, struct error **err)
{
	return find("/etc/group", "group", name, isolate, read_groups, name, gid, err);
}
