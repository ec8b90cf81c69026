/* write_all() at an offset. */
#pragma once

#include <sys/types.h>

/* Writes SIZE bytes of DATA at offset AT; FD's own offset does not change. Returns 0, or -1 with
 * errno set and part of it written. */
int pwrite_all(int fd, const void *data, size_t size, off_t at);
