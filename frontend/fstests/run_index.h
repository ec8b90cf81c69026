/* What all runs had, at most a second after the question: from an index in SQLite,
 * $XDG_STATE_HOME/rootlet/runs.sqlite, which is brought up to date first. The run directories are
 * the truth. A run whose files changed is read again; an index that is damaged is made again; and
 * if it cannot be used (disk full, read-only, of a newer rootlet), one in memory takes its place.
 */
#pragma once

#include "frontend/fstests/run_index_file.h"

/* Reads all runs. OUTCOMES: with the result of each test. */
int run_index_read(bool outcomes, struct run_index *out, struct error **err);
