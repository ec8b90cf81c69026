/* Linked into rootlet only in builds with sanitizers; replaces libsolv's function. libsolv reads
 * tens of MB of text into a table that it grows by a few bytes at a time, and ASan's realloc()
 * copies everything each time: a minute for the packages of one release. */
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#define LARGE ((size_t)1 << 16) /* bytes; smaller blocks keep exact bounds */

void *solv_realloc(void *old, size_t size);
void *solv_realloc(void *old, size_t size)
{
	if (size <= LARGE)
		return realloc(old, size ? size : 1);
	return old && size <= malloc_usable_size(old) ? old : realloc(old, 2 * size);
}
