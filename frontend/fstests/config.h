/* What of a configuration of fstests matters before the guest reads it. */
#pragma once

/* The filesystems under test, one space between two: FIRST, and every FSTYP that the text of a
 * configuration gives (NULL: there is none). The caller's to free; NULL: out of memory.
 * Format: README.config-sections of fstests. */
char *config_types(const char *first, const char *text);

/* The same without FIRST where the first section gives a type, each once, a comma between two. */
char *config_tested(const char *first, const char *text);
