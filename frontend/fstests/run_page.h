/* What an agent reads of a run: pages of at most 2 kB of the list of all runs, of the list of a
 * run's files, and of each of its files. Guests write some of these: no path leads out of the run's
 * directory, and text is cleaned. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lib/error.h"

/* The page at OFFSET of the file or directory PATH ("": all of it) of the run called RUN ("": the
 * list of runs, the newest first), as an object: text, offset, size, and next, the offset of the
 * next page or null. Files are counted in bytes, lists in lines. NULL with ERR set: ERR_MISSING if
 * it does not exist, ERR_INPUT if it is neither a file nor a directory. */
json_t *run_page(const char *run, const char *path, uint64_t offset, struct error **err);
