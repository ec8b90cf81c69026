/* The lines of an audit log, the members of a record, and where the log is. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/error.h"
#include "policy/policy.h"

/* Calls FUNCTION for each line of the file, without its newline. */
typedef void audit_visit(const char *line, size_t length, void *context);
int audit_each_line(const char *path, audit_visit *function, void *context, struct error **err);

/* The text of a member; "" if it is missing or not a string. */
const char *audit_text(const json_t *record, const char *key);

/* The log that POLICY (or NULL) names, if the caller can read it, else their own. The caller frees
 * it. */
char *audit_find_log(const struct policy *policy, struct error **err);
