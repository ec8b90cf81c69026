/* The ids with which the jailer creates files. */
#pragma once

/* From here to the end of the block, whatever the jailer creates in a tree belongs to the
 * range's first ids from the start. So a killed helper leaves no file in there whose owner no
 * jail knows. */
#define _for_range_                                                                                \
	__attribute__((unused)) _cleanup_(file_ids_for_caller) int for_range = file_ids_for_range()
int file_ids_for_range(void);
void file_ids_for_caller(const int *ignored);
