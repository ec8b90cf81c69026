#include "frontend/archive/choices.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/word_list.h"

int choice_by_name(const void *a, const void *b)
{
	return strcmp(((const struct choice *)a)->name, ((const struct choice *)b)->name);
}

void choices_clear(struct choices *choices)
{
	for (size_t i = 0; i < choices->count; i++) {
		free(choices->list[i].name);
		free(choices->list[i].version);
		free(choices->list[i].arch);
		free(choices->list[i].filename);
		free(choices->list[i].source);
		free(choices->list[i].source_version);
	}
	free(choices->list);
	words_free(choices->left_out);
	words_free(choices->removed);
	*choices = (struct choices){ 0 };
}
