#include "frontend/cli/lock_wait.h"

#include <poll.h>
#include <sys/file.h>

#include "frontend/cli/interrupt.h"

#define WAIT_MS 200

int lock_wait(int fd, const char *what, const char *note, struct progress *progress,
	      struct error **err)
{
	struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
	bool told = false;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, ERR_SYSTEM, "cannot lock %s", what);
		if (!told)
			progress_note(progress, "%s", note);
		told = true;
		poll(&interrupt, 1, WAIT_MS);
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
	}
	return 0;
}
