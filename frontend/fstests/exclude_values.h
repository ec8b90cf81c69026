/* The words of an exclude: what may be written, and whether it fits a run. */
#pragma once

#include <stdbool.h>

/* A name as test_name_length() knows it, or a pattern of sh(1) with one slash. */
bool exclude_test_valid(const char *word);

/* Names or patterns, separated by commas. They match one that equals or fits any of them; NULL
 * matches everything. */
bool exclude_patterns_valid(const char *value);
bool exclude_patterns_match(const char *value, const char *name);

/* Versions, separated by commas, all of which must fit: "6.1" for it and its stable releases,
 * "<6.5", ">=6.1.9". Only as many numbers are compared as are written, and nothing after the
 * numbers: 6.5.0-rc1 is a 6.5. */
bool exclude_kernel_valid(const char *value);
bool exclude_kernel_matches(const char *value, const char *version);

/* A day that exists, as "2027-01-31". */
bool exclude_date_valid(const char *value);

/* A URL of http or https, or 7 to 64 hexadecimal digits. */
bool exclude_reference_valid(const char *value);
