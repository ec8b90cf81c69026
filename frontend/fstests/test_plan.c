#include "frontend/fstests/test_plan.h"

#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_output.h"

#define LIST_MOST (16u << 20)

void test_plan_clear(struct test_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->list[i].section);
		free(plan->list[i].name);
	}
	free(plan->list);
	*plan = (struct test_plan){ 0 };
}

bool test_plan_has(const struct test_plan *plan, const char *section, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->list[i].name, name) == 0 &&
		    strcmp(plan->list[i].section, section) == 0)
			return true;
	return false;
}

static bool plan_grow(struct test_plan *plan, const char *section, const char *name, size_t length)
{
	struct planned *added = array_grow(&plan->list, plan->count, sizeof(*added));

	if (!added)
		return false;
	added->section = strdup(section);
	added->name = strndup(name, length);
	if (!added->section || !added->name) {
		free(added->section);
		free(added->name);
		return false;
	}
	plan->count++;
	return true;
}

int test_plan_read(int dir, const char *file, struct test_plan *plan, struct test_plan *excluded,
		   struct error **err)
{
	static const char mark[] = "SECTION       -- ";
	_cleanup_free_ char *text = tree_read(dir, file, LIST_MOST, NULL, err);
	char section[128] = "", *rest = NULL;

	*plan = *excluded = (struct test_plan){ 0 };
	if (!text)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t length = test_name_length(line);

		if (text_has_prefix(line, mark)) {
			snprintf(section, sizeof(section), "%s", line + strlen(mark));
			text_clean(section);
		} else if (length && (line[length] == ' ' || !line[length]) &&
			   !plan_grow(strstr(line + length, "[expunged]") ? excluded : plan,
				      section, line, length)) {
			test_plan_clear(plan);
			test_plan_clear(excluded);
			return error_no_memory(err);
		}
	}
	return 0;
}

bool test_plan_add(struct test_plan *plan, const char *section, const char *name)
{
	return plan_grow(plan, section, name, strlen(name));
}

bool test_plan_of_words(char *const *words, size_t count, struct test_plan *plan)
{
	*plan = (struct test_plan){ 0 };
	for (size_t i = 0; i < count; i++) {
		size_t length = test_name_length(words[i]);

		if (length && !words[i][length] && test_plan_has(plan, "", words[i]))
			continue;
		if (!length || words[i][length] || !plan_grow(plan, "", words[i], length)) {
			test_plan_clear(plan);
			return false;
		}
	}
	return count > 0;
}

void batch_clear(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		free(batch->words[i]);
	free(batch->words);
	*batch = (struct batch){ 0 };
}

int batch_add(struct batch *batch, const char *word)
{
	char **larger = reallocarray(batch->words, batch->count + 2, sizeof(*larger));

	if (!larger)
		return -1;
	batch->words = larger;
	larger[batch->count] = strdup(word);
	larger[batch->count + 1] = NULL;
	if (!larger[batch->count])
		return -1;
	batch->count++;
	return 0;
}

size_t test_plan_left(const struct test_plan *plan, const struct results *results)
{
	size_t left = 0;

	for (size_t i = 0; i < plan->count; i++)
		left += !results_find(results, plan->list[i].section, plan->list[i].name);
	return left;
}

bool test_plan_next(const struct test_plan *plan, const struct results *results,
		    struct batch *batch)
{
	const char *section = NULL;

	*batch = (struct batch){ 0 };
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *test = &plan->list[i];

		if (results_find(results, test->section, test->name) ||
		    (section && strcmp(section, test->section) != 0))
			continue;
		if (!section && *test->section &&
		    (batch_add(batch, "-s") < 0 || batch_add(batch, test->section) < 0))
			break;
		section = test->section;
		if (batch_add(batch, test->name) < 0)
			break;
	}
	return batch->count > 0;
}
