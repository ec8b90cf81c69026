/* A directory of a unit test: below $ROOTLET_TEST_SCRATCH or $TMPDIR, else in /var/tmp. A process
 * of its own removes it once the test and all of its children have ended, whatever ended them. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH_SIZE 96	 /* so that a socket's path fits */
#define SCRATCH_PIPE 200 /* lower numbers are the tests' own */

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
				     struct FTW *where)
{
	(void)st;
	(void)where;
	if (type == FTW_DNR)
		chmod(path, 0700);
	remove(path);
	return 0;
}

static inline void scratch_remove(const char *path)
{
	/* Twice: the first call may have to make directories readable. */
	for (int i = 0; i < 2; i++)
		nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Waits until nobody has the other end of the pipe. In a session of its own, it survives a signal
 * to the test's process group. */
static inline void scratch_watch(int pipe, const char *path)
{
	char byte;

	if (setsid() < 0 || fork() != 0)
		_exit(0);
	dup2(pipe, 3);
	close_range(4, ~0u, 0);
	for (int i = 0; i < 3; i++)
		close(i);
	while (read(3, &byte, 1) > 0)
		;
	scratch_remove(path);
	_exit(0);
}

static inline bool scratch_guard(const char *path)
{
	int ends[2], kept;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		scratch_watch(ends[0], path);
	}
	close(ends[0]);
	kept = fcntl(ends[1], F_DUPFD_CLOEXEC, SCRATCH_PIPE); /* until the process ends */
	close(ends[1]);
	return pid > 0 && waitpid(pid, NULL, 0) == pid && kept >= 0;
}

/* Makes the directory. PATH, of SCRATCH_SIZE bytes, is its name before and its path after that.
 * Returns PATH, or NULL. */
static inline char *scratch_make(char *path)
{
	const char *const places[] = { getenv("ROOTLET_TEST_SCRATCH"), getenv("TMPDIR"),
				       "/var/tmp" };
	char name[SCRATCH_SIZE];

	snprintf(name, sizeof(name), "%s", path);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (places[i] &&
		    snprintf(path, SCRATCH_SIZE, "%s/%s.XXXXXX", places[i], name) < SCRATCH_SIZE &&
		    mkdtemp(path))
			return scratch_guard(path) ? path : NULL;
	return NULL;
}
