/* Writes all of it, however often write(2) takes only a part or a signal comes between. */
#pragma once

#include <sys/types.h>

/* SIZE bytes of DATA, where FD stands. 0, or -1 with errno set and a part of it written. */
int write_all(int fd, const void *data, size_t size);

/* The same from offset AT on, which leaves FD where it stands. */
int pwrite_all(int fd, const void *data, size_t size, off_t at);
