#include "frontend/fstests/confined_tool.h"

#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "frontend/cli/child.h"
#include "frontend/vm/vm_filter.h"

#define READ_AND_RUN (LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE)

static const struct landlock_place programs[] = {
	{ "/usr", -1, READ_AND_RUN },
	{ "/bin", -1, READ_AND_RUN },
	{ "/lib", -1, READ_AND_RUN },
	{ "/lib64", -1, READ_AND_RUN },
};
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

static int limit(int resource, rlim_t most)
{
	const struct rlimit limits = { most, most };

	return most ? setrlimit((__rlimit_resource_t)resource, &limits) : 0;
}

static int confine_files(const struct confined_tool *tool)
{
	struct landlock_place places[PROGRAMS + CONFINED_TOOL_PLACES];
	struct landlock_domain domain = { .places = places, .signals = true };
	_cleanup_close_ int ruleset = -1;

	if (landlock_version() <= 0)
		return 0;
	memcpy(places, programs, sizeof(programs));
	domain.place_count = PROGRAMS;
	for (size_t i = 0; i < CONFINED_TOOL_PLACES && tool->places[i].path; i++)
		places[domain.place_count++] = tool->places[i];
	ruleset = landlock_domain_open(&domain);
	return ruleset < 0 ? -1 : landlock_ruleset_enter(ruleset);
}

/* Runs in the child. A variable of the environment could make a program ask a server for debug
 * information. */
static int confine(const void *context)
{
	const struct confined_tool *tool = context;
	_cleanup_error_ struct error *err = NULL;

	clearenv();
	if (setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) < 0 || setenv("LC_ALL", "C", 1) < 0 ||
	    (tool->work &&
	     (setenv("TMPDIR", tool->work, 1) < 0 || setenv("HOME", tool->work, 1) < 0)))
		return -1;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(3, ~0U, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || limit(RLIMIT_CORE, 1) < 0 ||
	    limit(RLIMIT_CPU, tool->seconds) < 0 || limit(RLIMIT_AS, tool->memory) < 0 ||
	    limit(RLIMIT_FSIZE, tool->file) < 0 || confine_files(tool) < 0)
		return -1;
	return vm_filter_install(false, &err);
}

int confined_tool_run(const struct confined_tool *tool, const int stdio[3], struct error **err)
{
	pid_t pid;

	if (child_start_prepared(tool->argv, stdio, confine, tool, &pid, err) < 0)
		return -1;
	return child_wait(pid, err);
}
