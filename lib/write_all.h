/* Writes all of the data, despite short writes and signals. */
#pragma once

#include <sys/types.h>

/* Writes SIZE bytes of DATA at FD's offset. Returns 0, or -1 with errno set and part of it
 * written. */
int write_all(int fd, const void *data, size_t size);
