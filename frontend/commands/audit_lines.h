/* The lines of an audit log, and the members of a record. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/error.h"

/* Calls FUNCTION for each line of the file, without its newline. */
typedef void audit_visit(const char *line, size_t length, void *context);
int audit_each_line(const char *path, audit_visit *function, void *context, struct error **err);

/* The text of a member; "" if it is missing or not a string. */
const char *audit_text(const json_t *record, const char *key);
