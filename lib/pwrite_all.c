#include "lib/pwrite_all.h"

#include "lib/cleanup.h"

int pwrite_all(int fd, const void *data, size_t size, off_t at)
{
	const char *from = data;

	while (size) {
		ssize_t n = RETRY_ON_EINTR(pwrite(fd, from, size, at));

		if (n < 0)
			return -1;
		from += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}
