/* Removes what an unfinished run leaves in the directory that machines share, for a run that is
 * itself about to be removed. */
#pragma once

#include "frontend/fstests/run_directory.h"

/* Cancels the tasks of RUN, which is locked, and removes its shared directory PATH. Does nothing if
 * that is gone. ERR_BUSY if a process on another machine watches the run, ERR_MISSING if the
 * directory above PATH is out of reach, ERR_REFUSED if PATH is not the shared directory of this
 * run, or another user's. */
int shared_run_discard(const char *path, const struct run_dir *run, struct error **err);
