/* As whom the jailer makes files. */
#pragma once

/* What the jailer makes in a tree from here on to the end of the block belongs to the range's first
 * ids from its first moment on: a helper that is killed leaves nothing in there whose owner no jail
 * knows. */
#define _for_range_                                                                                \
	__attribute__((unused)) _cleanup_(file_ids_for_caller) int for_range = file_ids_for_range()
int file_ids_for_range(void);
void file_ids_for_caller(const int *ignored);
