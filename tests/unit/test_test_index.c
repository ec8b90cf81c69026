/* frontend/fstests/test_index.c: tests by section and name. */
#include "frontend/fstests/test_index.h"

#include "tap.h"

enum { COUNT = 2000, SECTIONS = 20 };

struct element {
	char section[16], name[16];
};

static struct test_key element_key(const void *list, size_t position)
{
	const struct element *e = (const struct element *)list + position;

	return (struct test_key){ e->section, e->name };
}

static void name_element(struct element *e, unsigned int i)
{
	snprintf(e->section, sizeof(e->section), "s%u", i % SECTIONS);
	snprintf(e->name, sizeof(e->name), "generic/%03u", i / SECTIONS);
}

int main(void)
{
	static struct element list[COUNT + 1];
	struct test_index index = { 0 };
	bool added = true, found = true, absent = true;
	char section[16];

	tap_check(test_index_find(&index, list, element_key, "", "generic/001") == TEST_INDEX_NONE,
		  "an empty index has nothing");
	for (unsigned int i = 0; i < COUNT; i++) {
		name_element(&list[i], i);
		added = test_index_add(&index, list, element_key, i) && added;
	}
	tap_check(added, "2,000 tests are added");
	for (unsigned int i = 0; i < COUNT; i++)
		found = test_index_find(&index, list, element_key, list[i].section, list[i].name) ==
				i &&
			found;
	tap_check(found, "each is found");
	/* Their slots are often those of tests with the same name. */
	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(section, sizeof(section), "t%u", i);
		absent = test_index_find(&index, list, element_key, section, "generic/001") ==
				 TEST_INDEX_NONE &&
			 absent;
	}
	tap_check(absent, "the same name in other sections is not found");
	tap_check(test_index_find(&index, list, element_key, "s1", "generic/00") ==
				  TEST_INDEX_NONE &&
			  test_index_find(&index, list, element_key, "", "s1generic/001") ==
				  TEST_INDEX_NONE,
		  "neither are other names");
	list[COUNT] = list[7];
	tap_check(test_index_add(&index, list, element_key, COUNT) &&
			  test_index_find(&index, list, element_key, list[7].section,
					  list[7].name) == 7,
		  "the first of two equal tests is found");
	test_index_clear(&index);
	tap_check(test_index_find(&index, list, element_key, "s1", "generic/001") ==
			  TEST_INDEX_NONE,
		  "a cleared index has nothing");
	return tap_done();
}
