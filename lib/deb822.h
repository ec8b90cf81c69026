/* The only parser of deb822(5) text: Packages, Release, control, dpkg's status. It copies nothing,
 * so that an index of fifty megabytes can be read from its mapping. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Finds the next stanza between *AT and END, without the empty lines around it; NULL at the end.
 * *LENGTH becomes its length, and *AT moves behind it. */
const char *stanza_next(const char **at, const char *end, size_t *length);

/* The value of FIELD in the stanza TEXT (LENGTH bytes), up to the end of its line; NULL if it has
 * no such field. *SIZE becomes its length. */
const char *stanza_field(const char *text, size_t length, const char *field, size_t *size);

/* As above, with the field's continuation lines, which begin with a blank. */
const char *stanza_lines(const char *text, size_t length, const char *field, size_t *size);

/* Whether FIELD exists and is exactly VALUE. */
bool stanza_field_is(const char *text, size_t length, const char *field, const char *value);
