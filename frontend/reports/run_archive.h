/* Packs a run for an issue tracker: a tar.gz with what rootlet recorded and what fstests left, as
 * text without the host's names and paths. Guests wrote the results: links, pipes and devices are
 * left out, and so are binary files; sizes are bounded. */
#pragma once

#include "frontend/reports/report_runs.h"

struct run_archive {
	char *data;
	size_t size;
	size_t files;
	json_t *left_out; /* objects with "file" and "why" */
};

/* Files of failed tests come first, in case there is too much. The caller clears A in any case. */
int run_archive_make(const struct report_run *run, struct run_archive *a, struct error **err);
void run_archive_clear(struct run_archive *a);
