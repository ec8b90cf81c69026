/* `rootlet doctor --ci`: which CI system runs this job, and what to add to its configuration for
 * what the host lacks. */
#pragma once

#include <jansson.h>

#include "frontend/commands/finding.h"

/* {system, by, lines: [{what, where, line}]} for the COUNT findings, which have these NAMES. The
 * system is told by the environment variable BY, as the system documents it; both are null outside
 * of a known one. */
json_t *ci_describe(const char *const *names, const struct finding *findings, size_t count);
void ci_print(json_t *ci);
