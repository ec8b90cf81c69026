/* The memory that a test leaked: fstests' NAME.kmemleak, which has what the kernel's kmemleak found
 * after the test. Format: Linux Documentation/dev-tools/kmemleak.rst, mm/kmemleak.c. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Makes a line of kernel.jsonl, with "count", for the objects in TEXT that the same functions
 * allocated: a new reference to an array. */
json_t *kmemleak_reports(const char *text, const char *test);

/* The number of objects in TEXT. */
size_t kmemleak_count(const char *text);
