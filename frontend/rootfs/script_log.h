/* Collects the output of package scripts while a rootfs is configured. If a script fails, this
 * names its package and the reason, and saves the output to a file. Packages write that output, so
 * it is only displayed, never acted on. */
#pragma once

#include <stdbool.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"
#include "proto/validate.h"

#define SCRIPT_REASON_SIZE 256

struct script_log {
	char *text; /* lines; only the last part if there is more than 1 MiB */
	size_t size, room;
	bool cut; /* earlier lines were dropped */
};

void script_log_clear(struct script_log *log);

/* Adds a line, as a callback for helper_set_log(); CONTEXT is the log. */
void script_log_add(const char *line, void *context);

struct script_failure {
	char package[PACKAGE_NAME_MAX + SUITE_MAX + 2]; /* as dpkg names it, "libc6:amd64" */
	char reason[SCRIPT_REASON_SIZE];		/* as dpkg words it */
	const char *output; /* points into the text: the script's output, whole lines */
	size_t length;
};

/* Finds the first package in TEXT that failed by itself, not because of another one. False if there
 * is none. Source: the output of dpkg(1) in the C locale, and of the plan in
 * helper/worker/unpack/unpack_plan.c. */
bool script_log_find(const char *text, struct script_failure *failure);

/* If ERR is ERR_PACKAGE: writes the log file, adds the package, the reason and the last lines to
 * the message, and prints a "script" event with --json. NAME is that of the rootfs. */
void script_log_explain(const struct script_log *log, const char *name, struct progress *progress,
			struct error **err);
