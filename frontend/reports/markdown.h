/* A summary of runs as Markdown, for job summaries, issues and mails. What guests printed is in
 * code spans and code blocks only, in which nothing is markup, a link or a mention. */
#pragma once

#include "frontend/reports/report_runs.h"

void markdown_print(FILE *out, const struct report *r);
