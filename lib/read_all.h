/* Reads a bounded part of a file, pipe or memfd into memory. */
#pragma once

#include <stddef.h>

/* Reads the rest of FD, at most MOST bytes, and appends a NUL. The caller frees it. *SIZE becomes
 * its length: MOST if there may be more. NULL with errno set on failure. */
char *read_all(int fd, size_t most, size_t *size);
