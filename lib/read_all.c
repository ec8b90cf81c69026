#include "lib/read_all.h"

#include "lib/cleanup.h"

char *read_all(int fd, size_t most, size_t *size)
{
	_cleanup_free_ char *data = malloc(most + 1);
	ssize_t n = 1;

	*size = 0;
	while (data && *size < most && n > 0) {
		n = RETRY_ON_EINTR(read(fd, data + *size, most - *size));
		*size += n > 0 ? (size_t)n : 0;
	}
	if (!data || n < 0)
		return NULL;
	data[*size] = '\0';
	return STEAL_PTR(data);
}
