/* rootlet runs report: results for people and for other systems. */
#pragma once

#include <stdbool.h>

#include "frontend/commands/commandline.h"
#include "lib/error.h"

/* The codes of the verb's options. */
struct report_options {
	bool json;
	const char *html, *junit;   /* files, or NULL */
	bool markdown, ktap, kcidb; /* to standard output, or OUTPUT */
	const char *output;	    /* a file, or NULL */
	const char *origin, *build; /* of --kcidb; BUILD may be NULL */
};

/* Writes the reports of RUNS, NULL-terminated, that the options ask for. Returns an exit status, or
 * -1 with ERR set; then no report was written, or those that could be. */
int runs_report(const struct report_options *options, char *const *runs, struct error **err);
