#include "lib/write_all.h"

#include "lib/cleanup.h"

int write_all(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		ssize_t n = RETRY_ON_EINTR(write(fd, from, size));

		if (n < 0)
			return -1;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}
