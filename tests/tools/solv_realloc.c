/* Part of rootlet in a build with sanitizers, and in no other: the place of libsolv's own function.
 * libsolv reads tens of MB of text into a table that it lets grow by some bytes at a time, and
 * ASan's realloc() moves all of it each time: a minute for the packages of one release. */
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#define LARGE ((size_t)1 << 16) /* bytes; below it a fault of one byte is to be found */

void *solv_realloc(void *old, size_t size);
void *solv_realloc(void *old, size_t size)
{
	if (size <= LARGE)
		return realloc(old, size ? size : 1);
	return old && size <= malloc_usable_size(old) ? old : realloc(old, 2 * size);
}
