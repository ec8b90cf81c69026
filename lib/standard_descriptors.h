/* What each of our programs does first. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* Opens /dev/null on each of the descriptors 0 to 2 that is closed: any file that is opened later
 * would get that number, and be used as standard input, output or error. Standard output is opened
 * for reading only, so that a write to it fails, as it would have. Returns whether standard output
 * was open. Must be called before anything else is opened. */
static inline bool standard_descriptors_open(void)
{
	bool output = true;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (fd == STDOUT_FILENO)
			output = false;
		/* The lowest free number is this one, because those below it are open. */
		if (open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
			_exit(127);
	}
	return output;
}
