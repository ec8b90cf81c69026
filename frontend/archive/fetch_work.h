/* What the fetch process does: InRelease files, package lists, the choice, packages. All of it is
 * confined (fetch_sandbox.h); what it finds goes to its parent as messages. */
#pragma once

#include "frontend/archive/fetch_state.h"

/* For fetch_process_start(). */
int fetch_work_prepare(int channel, void *work, struct error **err);
int fetch_work_run(int channel, void *work);
