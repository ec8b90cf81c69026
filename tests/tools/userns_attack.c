/* Tries to get a capability in a user namespace. As a preloaded library it tries to create one; as
 * a program too, or, with a pid, to enter that process's. Appends a line to $ATTACK_LOG, or prints
 * it: "PROGRAM capable", or "PROGRAM denied: CALL: errno". */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *failed(const char *call)
{
	static char text[128];

	snprintf(text, sizeof(text), "denied: %s: %s", call, strerror(errno));
	return text;
}

/* PID: NULL to create a namespace. */
static const char *try_it(const char *pid)
{
	char path[64];
	int fd;

	if (pid) {
		snprintf(path, sizeof(path), "/proc/%s/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return failed("open");
		if (setns(fd, CLONE_NEWUSER) < 0)
			return failed("setns");
	} else if (unshare(CLONE_NEWUSER) < 0) {
		return failed("unshare");
	}
	if (unshare(CLONE_NEWNS) < 0)
		return failed("unshare of mounts");
	if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return failed("mount");
	return "capable";
}

/* In a child, so that the program itself is unaffected. */
static void attack(const char *pid)
{
	const char *log = getenv("ATTACK_LOG");
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		int fd = log ? open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)
			     : STDOUT_FILENO;

		dprintf(fd, "%s %s\n", program_invocation_short_name, try_it(pid));
		_exit(0);
	}
	waitpid(child, &status, 0);
}

#ifdef PRELOADED
/* For LD_AUDIT, see rtld-audit(7). */
unsigned int la_version(unsigned int version);
unsigned int la_version(unsigned int version)
{
	return version;
}

__attribute__((constructor)) static void begin(void)
{
	attack(NULL);
}
#else
int main(int argc, char **argv)
{
	attack(argc > 1 ? argv[1] : NULL);
	return 0;
}
#endif
