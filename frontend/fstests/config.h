/* Reads what must be known of an fstests configuration before the guest reads it. */
#pragma once

/* Returns the filesystems under test, separated by spaces: FIRST, then every FSTYP in the text of a
 * configuration (NULL if none). The caller frees it; NULL if out of memory. Format:
 * README.config-sections of fstests. */
char *config_types(const char *first, const char *text);

/* The same without FIRST if the first section sets a type; each once, separated by commas. */
char *config_tested(const char *first, const char *text);

/* The one in SECTION ("" before the first): its own FSTYP, else the one above it, else FIRST. "" if
 * the configuration computes it. */
char *config_section_type(const char *first, const char *text, const char *section);
