/* What packages' scripts print while a rootfs is configured, kept for the case that one of them
 * fails: then it says whose it was and how it ended, and the text stays in a file. The text is a
 * package's: it is shown, and nothing follows from it. */
#pragma once

#include <stdbool.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"
#include "proto/validate.h"

#define SCRIPT_REASON_SIZE 256

struct script_log {
	char *text; /* lines; of more than a mebibyte the last part */
	size_t size, room;
	bool cut; /* something before TEXT is gone */
};

void script_log_clear(struct script_log *log);

/* Takes a line, for helper_set_log(); CONTEXT is the log. */
void script_log_add(const char *line, void *context);

struct script_failure {
	char package[PACKAGE_NAME_MAX + SUITE_MAX + 2]; /* as dpkg names it, "libc6:amd64" */
	char reason[SCRIPT_REASON_SIZE];		/* dpkg's words */
	const char *output; /* in the text: what the package's script printed, whole lines */
	size_t length;
};

/* The first package in TEXT that failed by itself, not for another one's sake. False where there is
 * none. Source: what dpkg(1) prints in the C locale, and the plan of
 * helper/worker/unpack/unpack_plan.c. */
bool script_log_find(const char *text, struct script_failure *failure);

/* Where ERR says that configuring packages failed: writes the file, puts package, reason and last
 * lines into the message, and prints an event "script" with --json. NAME is the rootfs's. */
void script_log_explain(const struct script_log *log, const char *name, struct progress *progress,
			struct error **err);
