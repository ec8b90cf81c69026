/* The texts of the tools about runs of fstests, for tool_text.c. */
#pragma once

#include <stdio.h>

#include "frontend/mcp/tool_result.h"

void fstests_text_run(FILE *out, const struct call_ending *e);
void fstests_text_groups(FILE *out, const struct call_ending *e);
void fstests_text_saved(FILE *out, const struct call_ending *e);
void fstests_text_baselines(FILE *out, const struct call_ending *e);
void fstests_text_comparison(FILE *out, const struct call_ending *e);
void fstests_text_flaky(FILE *out, const struct call_ending *e);
void fstests_text_report(FILE *out, const struct call_ending *e);
void fstests_text_bisect(FILE *out, const struct call_ending *e);
