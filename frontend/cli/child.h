/* Programs that a command has others do its work with: they end when it ends. */
#pragma once

#include <sys/types.h>

#include "lib/error.h"

/* Starts ARGV (argv[0] is looked up in PATH and the folders of system programs). STDIO: descriptors
 * that stay the caller's; -1: /dev/null. The child gets SIGTERM when the caller dies. */
int child_start(const char *const *argv, const int stdio[3], pid_t *pid, struct error **err);

/* Waits for its end and returns its exit status (128 + the number of a signal). After a signal to
 * us (see interrupt.h) it is ended first, and ERR is ERR_INTERRUPTED. */
int child_wait(pid_t pid, struct error **err);

/* Both. NAME is for the message where it fails: "cannot NAME: tar failed with status 2". */
int child_run(const char *const *argv, const int stdio[3], const char *name, struct error **err);
