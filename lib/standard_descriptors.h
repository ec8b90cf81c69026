/* What every program of ours does first. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* Opens /dev/null on each of the descriptors 0 to 2 that is closed: whatever is opened later would
 * get that number, and be read from or written to as standard input, output or error. Standard
 * output is opened for reading only, so that a write to it fails, as it would have. Returns whether
 * standard output was open. Called before anything else is opened. */
static inline bool standard_descriptors_open(void)
{
	bool output = true;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (fd == STDOUT_FILENO)
			output = false;
		/* The lowest number is free, since those below it are open. */
		if (open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
			_exit(127);
	}
	return output;
}
