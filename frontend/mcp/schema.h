/* The part of JSON Schema (draft 2020-12) that the tools' input schemas use: type, properties,
 * required, additionalProperties (false), items, minItems, minLength, enum, minimum, maximum. */
#pragma once

#include <jansson.h>

#include "lib/error.h"

/* Returns 0, or -1 with ERR_INPUT and a message that begins with WHERE. */
int schema_check(const json_t *schema, json_t *value, const char *where, struct error **err);
