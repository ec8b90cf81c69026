/* Reads a file, pipe or memory file into memory, a bounded part of it. */
#pragma once

#include <stddef.h>

/* What is left to read of FD, up to MOST bytes, and a NUL behind them; the caller's to free. *SIZE
 * is its length: MOST if there may be more. NULL with errno set if it cannot be read. */
char *read_all(int fd, size_t most, size_t *size);
