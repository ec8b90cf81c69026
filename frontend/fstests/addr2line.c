#include "frontend/fstests/addr2line.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "frontend/cli/child.h"
#include "frontend/cli/text.h"
#include "frontend/vm/vm_filter.h"
#include "lib/landlock_domain.h"
#include "lib/read_all.h"

#define OUTPUT_MOST (4u << 20)
#define SECONDS_MOST 120	       /* a vmlinux with full debug information: seconds */
#define MEMORY_MOST ((rlim_t)16 << 30) /* the same: up to 2 GiB */

#define READ_AND_RUN (LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE)

static int addr2line_limit(int resource, rlim_t most)
{
	const struct rlimit limit = { most, most };

	return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int addr2line_confine(const char *path, struct error **err)
{
	const struct landlock_place places[] = {
		{ "/usr", -1, READ_AND_RUN },
		{ "/bin", -1, READ_AND_RUN },
		{ "/lib", -1, READ_AND_RUN },
		{ "/lib64", -1, READ_AND_RUN },
		{ "/etc/ld.so.cache", -1, LANDLOCK_ACCESS_FS_READ_FILE },
		{ path, -1, LANDLOCK_ACCESS_FS_READ_FILE },
	};
	const struct landlock_domain domain = { .places = places,
						.place_count = sizeof(places) / sizeof(*places),
						.signals = true };
	_cleanup_close_ int ruleset = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || addr2line_limit(RLIMIT_CORE, 1) < 0 ||
	    addr2line_limit(RLIMIT_CPU, SECONDS_MOST) < 0 ||
	    addr2line_limit(RLIMIT_AS, MEMORY_MOST) < 0 ||
	    addr2line_limit(RLIMIT_FSIZE, OUTPUT_MOST) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot confine addr2line");
	if (landlock_version() > 0) {
		ruleset = landlock_domain_open(&domain);
		if (ruleset < 0 || landlock_ruleset_enter(ruleset) < 0)
			return error_errno(err, ERR_HOST, "cannot confine addr2line");
	}
	return vm_filter_install(false, err);
}

/* Runs between fork and exec. An environment variable could make it ask a server for debug
 * information. */
static _Noreturn void addr2line_become(const char *path, const char *section, int in, int out,
				       pid_t parent)
{
	const char *argv[] = { "addr2line", "-e", path, section ? "-j" : NULL, section, NULL };
	_cleanup_error_ struct error *err = NULL;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clearenv();
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
	    dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || close_range(3, ~0u, 0) < 0 ||
	    addr2line_confine(path, &err) < 0)
		_exit(126);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

static int addr2line_write(int in, const uint64_t *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (dprintf(in, "0x%" PRIx64 "\n", addresses[i]) < 0)
			return -1;
	return lseek(in, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* "fs/ext4/inode.c:12 (discriminator 3)"; "??:0" or "file:?" if unknown. */
static char *addr2line_parse(char *line)
{
	char *colon;

	line[strcspn(line, " ")] = '\0';
	colon = strrchr(line, ':');
	if (!colon || line[0] == '?' || colon[1] < '1' || colon[1] > '9')
		return NULL;
	return strdup(text_clean(line));
}

static int addr2line_read(int out, size_t count, char **lines, struct error **err)
{
	_cleanup_free_ char *text = calloc(1, OUTPUT_MOST);
	char *rest = NULL, *line;
	ssize_t size = text ? pread(out, text, OUTPUT_MOST - 1, 0) : -1;
	size_t i = 0;

	if (size < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read addr2line's output");
	for (line = strtok_r(text, "\n", &rest); line && i < count;
	     line = strtok_r(NULL, "\n", &rest))
		lines[i++] = addr2line_parse(line);
	return 0;
}

int addr2line(const char *path, const char *section, const uint64_t *addresses, size_t count,
	      char **lines, struct error **err)
{
	_cleanup_close_ int in = memfd_create("addresses", MFD_CLOEXEC);
	_cleanup_close_ int out = memfd_create("lines", MFD_CLOEXEC);
	pid_t us = getpid(), child;
	int status;

	for (size_t i = 0; i < count; i++)
		lines[i] = NULL;
	if (in < 0 || out < 0 || addr2line_write(in, addresses, count) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start addr2line");
	child = fork();
	if (child == 0)
		addr2line_become(path, section, in, out, us);
	if (child < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start addr2line");
	status = child_wait(child, err);
	if (status < 0)
		return -1;
	if (status == 127)
		return error_set(
			err, ERR_MISSING,
			"no source lines: addr2line is missing; fix: apt install binutils");
	if (status != 0)
		return error_set(err, ERR_SYSTEM, "no source lines: addr2line failed on %s (%d)",
				 path, status);
	return addr2line_read(out, count, lines, err);
}
