/* The kernel's reports of a run, with equal ones (trace_signature.h) counted once: "kernel" of
 * run.json and of `rootlet fstests --json`. Each has its kind, signature and first line, the number
 * of reports, and the tests that had it. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "lib/error.h"

struct kernel_traces {
	/* Each with "trace", the first report's; NULL if none. */
	json_t *by_signature;
};

/* Counts one REPORT, a line of kernel.jsonl, or the reports that one of kernel_traces_list() stands
 * for. One of an older version has no signature, and is equal to those with the same line. */
void kernel_traces_add(struct kernel_traces *t, const json_t *report);

/* Counts all lines of the run's kernel.jsonl in DIRECTORY; a missing file has none. */
int kernel_traces_read(struct kernel_traces *t, int directory, struct error **err);

/* All of them, in the order of their first reports: a new reference. */
json_t *kernel_traces_list(const struct kernel_traces *t);

/* Prints an empty line and "kernel: KIND in TEST, TEST and N more, N times: LINE" for each, and
 * the functions on the stack. */
void kernel_traces_print(FILE *out, const struct kernel_traces *t);

void kernel_traces_clear(struct kernel_traces *t);
