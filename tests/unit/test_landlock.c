/* helper/jailer/landlock.c: the file access that each kind of domain allows. Each row is tried in
 * a child before and after: it must work before, or the row would prove nothing. Then the domains
 * of the helper's processes after they have dropped their privileges. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/jailer/landlock.h"
#include "helper/starter/privileges.h"
#include "lib/landlock_ruleset.h"

#include "scratch.h"
#include "tap.h"

static char dir[SCRATCH_SIZE] = "landlock";

static int granted; /* an open file in it that may be reopened */

static int try_read(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int try_run(void)
{
	return open("/usr/bin/env", O_RDONLY | O_CLOEXEC);
}

static int try_home(void)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int try_write(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/file", dir);
	return open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
}

static int try_tmp(void)
{
	char path[] = "/tmp/landlock.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

static int try_move(void)
{
	char from[256], to[256];

	snprintf(from, sizeof(from), "%s/a/x", dir);
	snprintf(to, sizeof(to), "%s/b/x", dir);
	if (rename(from, to) < 0)
		return -1;
	return rename(to, from);
}

static int try_device(void)
{
	char path[256];

	/* Not 0:0, which anyone can make: to newer kernels that is a file like others. */
	snprintf(path, sizeof(path), "%s/device", dir);
	if (mknod(path, S_IFCHR, makedev(1, 3)) < 0)
		return -1;
	return unlink(path);
}

/* A socket that listens outside the domain. */
static int try_abstract(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%s", dir);
	return connect(fd, (struct sockaddr *)&name, sizeof(name));
}

static int try_anew(void)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", granted);
	return open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
}

static const struct row {
	const char *what;
	int (*attempt)(void);
	bool none, any, tree, tool;
	int version; /* the first version that refuses it */
} rows[] = {
	{ "read a file of /etc", try_read, false, true, true, true, 1 },
	{ "read a program", try_run, false, true, true, true, 1 },
	{ "open a directory in /var", try_home, false, true, true, false, 1 },
	{ "write in /var", try_write, false, true, true, false, 1 },
	{ "write in /tmp", try_tmp, false, true, true, true, 1 },
	{ "move between directories", try_move, false, true, true, false, 1 },
	{ "make a device", try_device, false, true, false, false, 1 },
	{ "reopen the granted file", try_anew, false, true, true, true, 1 },
	{ "reach an abstract socket", try_abstract, false, true, false, false, 6 },
};

static int enter(enum file_access files)
{
	int ruleset = files == FILES_NONE ? landlock_ruleset_open(false)
					  : landlock_choose(files, granted);

	return ruleset == PRIVILEGES_NO_RULESET ? 0 : landlock_ruleset_enter(ruleset);
}

/* The errno of ATTEMPT in a child under FILES, 0 if it succeeds; FILES -1: without a domain. */
static int attempt_under(int files, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (files >= 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
				   enter((enum file_access)files) < 0))
			_exit(255);
		errno = 0;
		_exit(attempt() < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 255;
	return WEXITSTATUS(status);
}

static void check_row(const struct row *row, int version)
{
	const bool allowed[] = { row->none, row->any, row->tree, row->tool };
	static const char *const names[] = { "none", "any", "tree", "tool" };

	if (row->attempt == try_device && attempt_under(-1, row->attempt) == EPERM) {
		printf("ok %u - %s # SKIP this user cannot create one\n", ++tap_count, row->what);
		return;
	}
	tap_check(attempt_under(-1, row->attempt) == 0, "without Landlock: %s", row->what);
	for (int files = FILES_NONE; files <= FILES_TOOL; files++) {
		bool expected = allowed[files] || version < row->version ||
				(version < 2 && files != FILES_NONE);
		int error = attempt_under(files, row->attempt);

		tap_check((error == 0) == expected && error != 255, "files %s: %s: %s",
			  names[files], row->what, expected ? "it can" : "it cannot");
		if ((error == 0) != expected)
			printf("# %s\n", strerror(error));
	}
}

/* For each process of the helper: its column, and the errno that distinguishes it from the others,
 * if the set's list has the calls for that, and those that a sanitizer makes. Landlock gives EACCES
 * for files, EPERM for a socket. */
static const struct set_row { /* NOLINT: in the order in which a row reads */
	enum privilege_set set;
	enum file_access files;
	int (*attempt)(void);
	int error;
	const char *what;
	int version;
} set_rows[] = {
	{ PRIVILEGES_WAITER, FILES_NONE, NULL, 0, "", 1 },
	{ PRIVILEGES_AUDIT, FILES_NONE, NULL, 0, "", 1 },
	{ PRIVILEGES_PARSER, FILES_NONE, NULL, 0, "", 1 },
	{ PRIVILEGES_JAILER, FILES_ANY, try_home, 0, "open a directory in /var", 1 },
	{ PRIVILEGES_JAILER, FILES_ANY, try_abstract, 0, "reach an abstract socket", 1 },
	{ PRIVILEGES_JAIL, FILES_TREE, try_home, 0, "open a directory in /var", 1 },
	/* The seccomp filter refuses it first. */
	{ PRIVILEGES_JAIL, FILES_TREE, try_device, EPERM, "make a device", 1 },
	{ PRIVILEGES_JAIL, FILES_TREE, try_abstract, EPERM, "reach an abstract socket", 6 },
	{ PRIVILEGES_TOOL, FILES_TOOL, try_read, 0, "read a file of /etc", 1 },
	{ PRIVILEGES_TOOL, FILES_TOOL, try_home, EACCES, "open a directory in /var", 2 },
	/* Its filter allows no sockets at all. */
	{ PRIVILEGES_TOOL, FILES_TOOL, try_abstract, EPERM, "reach an abstract socket", 1 },
	{ PRIVILEGES_UNPACK, FILES_TREE, NULL, 0, "", 1 },
	/* The front end names its directories. */
	{ PRIVILEGES_FETCH, FILES_CACHE, NULL, 0, "", 1 },
};

#define NO_NAMESPACE 254

/* Like attempt_under(), as that process: root of a namespace, unless already root. */
static int attempt_as(enum privilege_set set, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
			_exit(NO_NAMESPACE);
		if (landlock_drop_privileges(set, granted, NULL) < 0)
			_exit(255);
		errno = 0;
		_exit(attempt() < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 255;
	return WEXITSTATUS(status);
}

static void check_set(const struct set_row *row, int version)
{
	const struct privileges *p = &privilege_sets[row->set];
	int error;

	tap_check(p->files == row->files, "%s: its column of files", p->name);
	if (!row->attempt)
		return;
	error = attempt_as(row->set, row->attempt);
	if (error == NO_NAMESPACE)
		printf("ok %u - %s: %s # SKIP no user namespace for this user\n", ++tap_count,
		       p->name, row->what);
	else
		tap_check(error == (version < row->version ? 0 : row->error), "%s: %s: %s", p->name,
			  row->what, row->error ? "it cannot" : "it can");
	if (error && error != row->error)
		printf("# %d: %s\n", error, strerror(error));
}

static void listen_abstract(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%s", dir);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 50) < 0)
		exit(2);
}

int main(void)
{
	int version = landlock_version();
	char path[256];

	if (!scratch_make(dir))
		return 2;
	snprintf(path, sizeof(path), "%s/a", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/b", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/a/x", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/granted", dir);
	granted = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (granted < 0)
		return 2;
	listen_abstract();
	printf("# Landlock's interface here: %d\n", version);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (version == 0)
			printf("ok %u - %s # SKIP the kernel has no Landlock\n", ++tap_count,
			       rows[i].what);
		else
			check_row(&rows[i], version);
	}
	for (size_t i = 0; i < sizeof(set_rows) / sizeof(*set_rows); i++)
		check_set(&set_rows[i], version);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	return system(path) ? 2 : tap_done();
}
