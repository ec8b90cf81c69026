/* Child programs that do part of a command's work. They end when the command ends. */
#pragma once

#include <sys/types.h>

#include "lib/error.h"

/* Starts ARGV; argv[0] is looked up in PATH and the system's program directories. STDIO:
 * descriptors, which stay the caller's; -1: /dev/null. The child gets SIGTERM when the caller dies.
 */
int child_start(const char *const *argv, const int stdio[3], pid_t *pid, struct error **err);

/* The same, but PREPARE runs in the child just before the program; unless it returns 0, the child
 * exits with status 126. */
int child_start_prepared(const char *const *argv, const int stdio[3],
			 int (*prepare)(const void *context), const void *context, pid_t *pid,
			 struct error **err);

/* Waits for the child to exit. Returns its exit status (128 + N if signal N killed it), or -1 with
 * ERR set. If this process gets a signal (see interrupt.h), it ends the child; ERR_INTERRUPTED. */
int child_wait(pid_t pid, struct error **err);

/* Starts and waits. NAME is for the error message: "cannot NAME: tar failed with status 2". */
int child_run(const char *const *argv, const int stdio[3], const char *name, struct error **err);

/* Waits for the child to exit, even if this process gets a signal. Returns what child_wait()
 * returns. */
int child_wait_out(pid_t pid, struct error **err);
