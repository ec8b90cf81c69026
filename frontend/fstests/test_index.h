/* Finds tests by section and name: a hash table of positions in a list that the caller has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct test_key {
	const char *section, *name;
};

/* The key of the element of LIST at POSITION. */
typedef struct test_key test_key_at(const void *list, size_t position);

/* All zeros: an empty table. */
struct test_index {
	size_t *slots; /* 0: free; else a position + 1 */
	size_t size, used;
};

#define TEST_INDEX_NONE ((size_t)-1)

/* The position that was added first for that test, or TEST_INDEX_NONE. */
size_t test_index_find(const struct test_index *index, const void *list, test_key_at *key_at,
		       const char *section, const char *name);

/* Adds the element at POSITION, unless an equal one was added before. False if out of memory. */
bool test_index_add(struct test_index *index, const void *list, test_key_at *key_at,
		    size_t position);
void test_index_clear(struct test_index *index);
