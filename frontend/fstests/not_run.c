#include "frontend/fstests/not_run.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/word_list.h"

/* A reason is the command between these two. */
static const struct reason_form {
	const char *before, *after;
} forms[] = {
	{ "", " utility required, skipped this test" },
	{ "", " utility required" },
	{ "This test requires ", " utility" },
	{ "this test requires ", " utility" },
	{ "", " command not found" },
	{ "", " not found" },
	{ "", " not installed" },
	{ "", " is not installed" },
};

static bool has_form(const char *reason, const struct reason_form *form,
		     char name[static COMMAND_SIZE])
{
	size_t before = strlen(form->before), after = strlen(form->after), length = strlen(reason);

	/* Some end with a period. */
	length -= length && reason[length - 1] == '.';
	if (length <= before + after || length - before - after >= COMMAND_SIZE ||
	    strncmp(reason, form->before, before) != 0 ||
	    strncmp(reason + length - after, form->after, after) != 0)
		return false;
	snprintf(name, COMMAND_SIZE, "%.*s", (int)(length - before - after), reason + before);
	return name[0] != '-' && program_name_is_valid(name);
}

bool not_run_command(const char *reason, char name[static COMMAND_SIZE])
{
	for (size_t i = 0; reason && i < sizeof(forms) / sizeof(*forms); i++)
		if (has_form(reason, &forms[i], name))
			return true;
	return false;
}

static struct lacking *lacking_find(const struct lackings *l, const char *command)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->list[i].command, command) == 0)
			return &l->list[i];
	return NULL;
}

static int by_tests(const void *a, const void *b)
{
	const struct lacking *one = a, *other = b;

	if (one->tests != other->tests)
		return one->tests > other->tests ? -1 : 1;
	return strcmp(one->command, other->command);
}

int not_run_collect(const struct results *results, struct lackings *l)
{
	char command[COMMAND_SIZE];

	for (size_t i = 0; i < results->count; i++) {
		const struct test_result *result = &results->list[i];
		struct lacking *one;

		if (result->status != TEST_NOTRUN || !not_run_command(result->reason, command))
			continue;
		one = lacking_find(l, command);
		if (!one) {
			one = array_grow(&l->list, l->count, sizeof(*one));
			if (!one)
				return -1;
			l->count++;
			memcpy(one->command, command, sizeof(command));
		}
		one->tests++;
	}
	if (l->count)
		qsort(l->list, l->count, sizeof(*l->list), by_tests);
	return 0;
}

void lackings_clear(struct lackings *l)
{
	free(l->list);
	free(l->why);
	*l = (struct lackings){ 0 };
}

bool not_run_can_run(const struct lackings *l, const struct test_result *result)
{
	char command[COMMAND_SIZE];
	const struct lacking *one;

	if (result->status != TEST_NOTRUN || !not_run_command(result->reason, command))
		return false;
	one = lacking_find(l, command);
	return one && one->installed;
}
