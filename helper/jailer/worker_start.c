#include "helper/jailer/worker_start.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"

#ifdef WORKER_INSIDE
#include "helper/worker/jobs.h"
#endif

#define SOCKET 3
#define PROGRAM 4 /* close-on-exec */

#ifdef WORKER_INSIDE

_Noreturn void worker_start(int program, const char *what, int socket)
{
	(void)program;
	if (dup2(socket, SOCKET) == SOCKET && close_range(SOCKET + 1, ~0U, 0) == 0)
		_exit(worker_run(what, SOCKET));
	_exit(126);
}

#else

_Noreturn void worker_start(int program, const char *what, int socket)
{
	char *argv[] = { (char *)(uintptr_t) "rootlet-worker", (char *)(uintptr_t)what, NULL };

	if (dup2(socket, SOCKET) == SOCKET && dup3(program, PROGRAM, O_CLOEXEC) == PROGRAM &&
	    close_range(PROGRAM + 1, ~0U, 0) == 0)
		syscall(SYS_execveat, PROGRAM, "", argv, environ, AT_EMPTY_PATH);
	dprintf(2, "rootlet: cannot start rootlet-worker: %s\n", strerror(errno));
	_exit(126);
}

#endif
