#include "frontend/fstests/test_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 64

/* FNV-1a: draft-eastlake-fnv of the IETF. */
static uint64_t test_key_hash(const char *section, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *p = section; *p; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	hash = (hash ^ '\n') * UINT64_C(0x100000001b3);
	for (const char *p = name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Returns the test's slot, or the free one where it belongs. The size is a power of two, and some
 * slots are free. */
static size_t *test_index_slot(const struct test_index *index, const void *list,
			       test_key_at *key_at, const char *section, const char *name)
{
	for (uint64_t at = test_key_hash(section, name);; at++) {
		size_t *slot = &index->slots[at & (index->size - 1)];
		struct test_key key;

		if (!*slot)
			return slot;
		key = key_at(list, *slot - 1);
		if (strcmp(key.name, name) == 0 && strcmp(key.section, section) == 0)
			return slot;
	}
}

size_t test_index_find(const struct test_index *index, const void *list, test_key_at *key_at,
		       const char *section, const char *name)
{
	return index->size ? *test_index_slot(index, list, key_at, section, name) - 1
			   : TEST_INDEX_NONE;
}

static bool test_index_grow(struct test_index *index, const void *list, test_key_at *key_at)
{
	struct test_index larger = { .size = index->size ? 2 * index->size : SLOTS_FIRST,
				     .used = index->used };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < index->size; i++) {
		struct test_key key;

		if (!index->slots[i])
			continue;
		key = key_at(list, index->slots[i] - 1);
		*test_index_slot(&larger, list, key_at, key.section, key.name) = index->slots[i];
	}
	free(index->slots);
	*index = larger;
	return true;
}

bool test_index_add(struct test_index *index, const void *list, test_key_at *key_at,
		    size_t position)
{
	const struct test_key key = key_at(list, position);
	size_t *slot;

	if (index->used >= index->size / 2 && !test_index_grow(index, list, key_at))
		return false;
	slot = test_index_slot(index, list, key_at, key.section, key.name);
	if (!*slot) {
		*slot = position + 1;
		index->used++;
	}
	return true;
}

void test_index_clear(struct test_index *index)
{
	free(index->slots);
	*index = (struct test_index){ 0 };
}
