#include "frontend/cli/word_list.h"

#include <string.h>

int words_add(char ***words, size_t *count, const char *word)
{
	char **end;

	for (size_t i = 0; i < *count; i++)
		if (strcmp((*words)[i], word) == 0)
			return 0;
	/* Count the terminating NULL as an element while growing. */
	end = array_grow(words, *count + 1, sizeof(char *));
	if (!end)
		return -1;
	end[-1] = strdup(word);
	if (!end[-1])
		return -1;
	(*count)++;
	return 0;
}
