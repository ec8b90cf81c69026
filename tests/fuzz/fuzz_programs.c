/* A Contents index that becomes a list of programs, and the search in that list and in any other.
 */
#include "frontend/archive/program_index.h"
#include "frontend/archive/program_list.h"

#include "fuzz.h"

static char *reduce(const uint8_t *data, size_t size, size_t step, size_t *length)
{
	static const char *const components[] = { "main", "universe", NULL };
	struct program_list *list = program_list_new(components);
	char *text;

	for (size_t at = 0; list && at < size; at += step)
		if (program_list_take((const char *)data + at, size - at < step ? size - at : step,
				      list, NULL) < 0)
			abort();
	if (!list || program_list_end(list, NULL) < 0)
		abort();
	text = program_list_text(list, length, NULL);
	program_list_free(&list);
	return text;
}

/* The list does not depend on how the index is split, and the search finds every program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char packages[PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1];
	struct program_index index = { .size = 0 };
	size_t length = 0;
	char *bytes = reduce(data, size, 1, &length), *rest = NULL;

	index.text = reduce(data, size, size + 1, &index.size);
	if (!bytes || !index.text || length != index.size || memcmp(bytes, index.text, length) != 0)
		abort();
	for (char *line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line[strcspn(line, "\t")] = '\0';
		if (program_index_find(&index, line, packages) == 0)
			abort();
	}
	free(index.text);
	free(bytes);
	index.text = fuzz_text(data, size);
	index.size = size;
	program_index_find(&index, "fio", packages);
	free(index.text);
	return 0;
}
