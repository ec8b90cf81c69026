/* Fields of deb822(5) text: Packages, Release, control. Nothing is copied. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The value of FIELD in the stanza TEXT (LENGTH bytes), up to the end of its line; NULL if none.
 * *SIZE is its length. */
const char *stanza_field(const char *text, size_t length, const char *field, size_t *size);

/* FIELD is there, and is exactly VALUE. */
bool stanza_field_is(const char *text, size_t length, const char *field, const char *value);
