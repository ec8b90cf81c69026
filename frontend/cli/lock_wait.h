/* Waits for a file lock that another rootlet holds. */
#pragma once

#include "frontend/cli/progress.h"
#include "lib/error.h"

/* Takes an exclusive flock(2) on FD. If it has to wait, it first prints NOTE. WHAT is for messages:
 * "cannot lock WHAT". ERR_INTERRUPTED if the user interrupts. */
int lock_wait(int fd, const char *what, const char *note, struct progress *progress,
	      struct error **err);
