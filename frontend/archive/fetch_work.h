/* The work of the fetch process: InRelease files, package lists, choosing packages, downloads. All
 * of it is confined (fetch_sandbox.h); results go to the parent as messages. */
#pragma once

#include "frontend/archive/fetch_state.h"

/* For fetch_process_start(). */
int fetch_work_prepare(int channel, void *work, struct error **err);
int fetch_work_run(int channel, void *work);
