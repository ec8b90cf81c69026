/* The one reader of deb822(5) text: Packages, Release, control, dpkg's status. Nothing is copied,
 * so that an index of fifty megabytes can be read where it is mapped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The next stanza between *AT and END, without the empty lines around it; NULL at the end. *LENGTH
 * is its length, and *AT is behind it then. */
const char *stanza_next(const char **at, const char *end, size_t *length);

/* The value of FIELD in the stanza TEXT (LENGTH bytes), up to the end of its line; NULL if none.
 * *SIZE is its length. */
const char *stanza_field(const char *text, size_t length, const char *field, size_t *size);

/* The same with the further lines of the field, which begin with a blank. */
const char *stanza_lines(const char *text, size_t length, const char *field, size_t *size);

/* FIELD is there, and is exactly VALUE. */
bool stanza_field_is(const char *text, size_t length, const char *field, const char *value);
