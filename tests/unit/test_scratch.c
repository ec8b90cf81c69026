/* tests/unit/scratch.h: a test's directory goes, however the test ends. */
#include "scratch.h"

#include <signal.h>
#include <time.h>

#include "lib/cleanup.h"
#include "tap.h"

#define WAIT_SECONDS 30

/* Fills its directory, tells its path, and ends by SIGNAL, 0: by exit. */
static void occupy(int to, int number)
{
	char path[SCRATCH_SIZE] = "scratch", inner[2 * SCRATCH_SIZE];
	FILE *out = fdopen(to, "w");

	if (!scratch_make(path) || !out)
		_exit(1);
	snprintf(inner, sizeof(inner), "%s/closed", path);
	mkdir(inner, 0700);
	snprintf(inner, sizeof(inner), "%s/closed/file", path);
	close(open(inner, O_WRONLY | O_CREAT | O_CLOEXEC, 0));
	snprintf(inner, sizeof(inner), "%s/closed", path);
	chmod(inner, 0);
	fputs(path, out);
	fclose(out);
	if (number)
		raise(number);
	_exit(0);
}

static bool vanishes(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < WAIT_SECONDS * 100 && access(path, F_OK) == 0; i++)
		nanosleep(&pause, NULL);
	return access(path, F_OK) < 0;
}

static void end_by(int number, const char *what)
{
	char path[SCRATCH_SIZE] = "";
	_cleanup_fclose_ FILE *in = NULL;
	int ends[2];
	bool made;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(1);
	pid = fork();
	if (pid == 0)
		occupy(ends[1], number);
	close(ends[1]);
	in = fdopen(ends[0], "r");
	made = in && fgets(path, sizeof(path), in) && *path == '/';
	waitpid(pid, NULL, 0);
	tap_check(made, "a directory is made");
	tap_check(made && vanishes(path), "it goes after %s", what);
}

int main(void)
{
	char below[SCRATCH_SIZE] = "scratch", again[SCRATCH_SIZE] = "scratch";

	end_by(0, "a test that leaves it behind");
	end_by(SIGKILL, "kill -9");
	if (!scratch_make(below))
		return 1;
	setenv("ROOTLET_TEST_SCRATCH", below, 1);
	tap_check(scratch_make(again) && strncmp(again, below, strlen(below)) == 0,
		  "it is below $ROOTLET_TEST_SCRATCH");
	unsetenv("ROOTLET_TEST_SCRATCH");
	return tap_done();
}
