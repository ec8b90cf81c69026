/* The part of JSON Schema (draft 2020-12) that the tools' input schemas use: type, properties,
 * required, additionalProperties (false), items, minItems, minLength, enum, minimum, maximum. */
#pragma once

#include <jansson.h>

#include "lib/error.h"

/* ERR_INPUT with a message that names what is wrong, beginning with WHERE. */
int schema_check(const json_t *schema, json_t *value, const char *where, struct error **err);
